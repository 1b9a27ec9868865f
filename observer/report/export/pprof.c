/*
 * The ledger as a profile of pprof: a sample for each stack of each row, told
 * apart by protection and thread.  What no call has made (segments, the stack,
 * the vDSO) is a sample of one frame, "[text] ./main", so that the totals are
 * those of the ledger.
 */
#include "observer/report/export/internal.h"
#include "observer/report/export/profile.pb-c.h"
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef Perftools__Profiles__Profile pprof_profile;
typedef Perftools__Profiles__ValueType pprof_value_type;
typedef Perftools__Profiles__Sample pprof_sample;
typedef Perftools__Profiles__Label pprof_label;
typedef Perftools__Profiles__Mapping pprof_mapping;
typedef Perftools__Profiles__Location pprof_location;
typedef Perftools__Profiles__Line pprof_line;
typedef Perftools__Profiles__Function pprof_function;

#define VALUES 4
#define LABELS 4

struct profile {
	const struct export_from *from;
	struct ledger_frames *frames;
	struct store store;
	struct keys strings, functions, locations, mappings;
	struct list function, location, mapping, sample; /* of pointers */
	pprof_profile root;
};

/* ---- small parts -------------------------------------------------------- */

static int64_t text_of(struct profile *profile, const char *text)
{
	const char *clean = text_clean(&profile->store, text ? text : "");

	return (int64_t)keys_put(&profile->strings, clean, strlen(clean));
}

/* A pointer to it becomes the list's last. */
static void append(struct profile *profile, struct list *list, void *item)
{
	void **last = list_add(list, sizeof(*last), &profile->store);

	if (last)
		*last = item;
}

static pprof_value_type *type_of(struct profile *profile, const char *type,
                                 const char *unit)
{
	pprof_value_type *made = store_take(&profile->store, sizeof(*made));

	if (!made)
		return NULL;
	perftools__profiles__value_type__init(made);
	made->type = text_of(profile, type);
	made->unit = text_of(profile, unit);
	return made;
}

static pprof_label *label_of(struct profile *profile, const char *key,
                             const char *text)
{
	pprof_label *made = store_take(&profile->store, sizeof(*made));

	if (!made)
		return NULL;
	perftools__profiles__label__init(made);
	made->key = text_of(profile, key);
	made->str = text_of(profile, text);
	return made;
}

/* ---- mappings: the files of code ---------------------------------------- */

/* 0: none. */
static uint64_t mapping_of(struct profile *profile,
                           const struct ledger_module *module)
{
	size_t before = profile->mappings.count, index;
	pprof_mapping *made;

	if (!module)
		return 0;
	index = keys_put(&profile->mappings, &module, sizeof(module));
	if (index < before || profile->store.failed)
		return index + 1;
	made = store_take(&profile->store, sizeof(*made));
	if (!made)
		return 0;
	perftools__profiles__mapping__init(made);
	made->id = index + 1;
	made->memory_start = module->module->start;
	made->memory_limit = module->module->end;
	made->filename = text_of(profile, module->path);
	made->build_id = text_of(profile, module->build_id);
	made->has_functions = made->has_filenames = 1;
	made->has_line_numbers = made->has_inline_frames = 1;
	append(profile, &profile->mapping, made);
	return made->id;
}

/* What one place has not, pprof may look for in all of the file. */
static void lower_mapping(struct profile *profile, uint64_t id,
                          const struct ledger_place *place)
{
	pprof_mapping *mapping;

	if (id == 0 || id > profile->mapping.count)
		return;
	mapping = ((pprof_mapping **)profile->mapping.item)[id - 1];
	mapping->has_functions &= place->function != NULL;
	mapping->has_filenames &= place->file != NULL;
	mapping->has_line_numbers &= place->line > 0;
}

/* ---- functions and locations -------------------------------------------- */

static int64_t start_line(const struct export_from *from,
                          const struct ledger_place *place)
{
	struct ledger_place first = { .module = place->module };

	if (!place->start ||
	    !from->namer(from->context, place->start + 1, &first) ||
	    !first.function || strcmp(first.function, place->function) != 0)
		return 0;
	return first.line;
}

static uint64_t function_of(struct profile *profile,
                            const struct ledger_place *place, int inlined)
{
	int64_t key[2] = { text_of(profile, place->function),
		           text_of(profile, place->file) };
	size_t before = profile->functions.count;
	size_t index = keys_put(&profile->functions, key, sizeof(key));
	pprof_function *made;

	if (profile->store.failed)
		return 0;
	if (index < before) {
		made = ((pprof_function **)profile->function.item)[index];
	} else {
		made = store_take(&profile->store, sizeof(*made));
		if (!made)
			return 0;
		perftools__profiles__function__init(made);
		made->id = index + 1;
		made->name = made->system_name = key[0];
		made->filename = key[1];
		append(profile, &profile->function, made);
	}
	if (!inlined && made->start_line == 0)
		made->start_line = start_line(profile->from, place);
	return made->id;
}

static pprof_line *line_of(struct profile *profile,
                           const struct ledger_place *place, int inlined)
{
	pprof_line *made = store_take(&profile->store, sizeof(*made));

	if (!made)
		return NULL;
	perftools__profiles__line__init(made);
	made->function_id = function_of(profile, place, inlined);
	made->line = place->line;
	return made;
}

/* The lines of one address: what is inlined there, then the function itself;
 * none when it has no name. */
static void add_lines(struct profile *profile, pprof_location *to,
                      const struct ledger_frame *frame, size_t count)
{
	to->line = store_take(&profile->store, count * sizeof(*to->line));
	if (!to->line)
		return;
	for (size_t i = 0; i < count; i++) {
		pprof_line *line = NULL;

		if (frame[i].place.function)
			line = line_of(profile, &frame[i].place,
			               frame[i].inlined);
		if (line)
			to->line[to->n_line++] = line;
	}
}

/* `count` frames of one address, the last of them not inlined. */
static uint64_t location_of(struct profile *profile,
                            const struct ledger_frame *frame, size_t count)
{
	const struct ledger_frame *last = &frame[count - 1];
	struct {
		uint64_t address;
		const struct ledger_module *module;
		int64_t name; /* where there is no address */
	} key = { last->address, last->place.module,
		  last->address ? 0 : text_of(profile, last->place.function) };
	size_t before = profile->locations.count;
	size_t index = keys_put(&profile->locations, &key, sizeof(key));
	pprof_location *made;

	if (index < before || profile->store.failed)
		return index + 1;
	made = store_take(&profile->store, sizeof(*made));
	if (!made)
		return 0;
	perftools__profiles__location__init(made);
	made->id = index + 1;
	/* of the call, not of the instruction behind it */
	made->address = last->address ? last->address - 1 : 0;
	made->mapping_id = mapping_of(profile, last->place.module);
	lower_mapping(profile, made->mapping_id, &last->place);
	add_lines(profile, made, frame, count);
	append(profile, &profile->location, made);
	return made->id;
}

/* ---- samples ------------------------------------------------------------ */

static void add_locations(struct profile *profile, pprof_sample *to,
                          const struct ledger_frame *frame, size_t count)
{
	to->location_id =
		store_take(&profile->store, count * sizeof(*to->location_id));
	for (size_t first = 0, i = 0; to->location_id && i < count; i++) {
		if (frame[i].inlined)
			continue;
		to->location_id[to->n_location_id++] =
			location_of(profile, &frame[first], i + 1 - first);
		first = i + 1;
	}
}

static void add_stack(struct profile *profile, pprof_sample *to,
                      const struct share *share)
{
	const struct ledger_frame *frame;
	struct ledger_frame made_up = { 0 };
	size_t count = 0;

	if (share->call)
		count = ledger_frames_of(profile->frames, share->call, &frame);
	if (count == 0) {
		made_up.place.function = share_name(
			&profile->store, profile->from->ledger, share->life);
		frame = &made_up;
		count = 1;
	}
	add_locations(profile, to, frame, count);
}

static void add_labels(struct profile *profile, pprof_sample *to,
                       const struct share *share)
{
	const struct ledger_life *life = share->life;
	char thread[24];

	to->label = store_take(&profile->store, LABELS * sizeof(*to->label));
	if (!to->label)
		return;
	to->label[0] = label_of(profile, "kind", life->kind);
	to->label[1] = label_of(profile, "owner", life->owner);
	to->label[2] = label_of(profile, "protection", prot_text(life->prot));
	to->n_label = 3;
	if (!share->thread)
		return;
	snprintf(thread, sizeof(thread), "%" PRIu64, share->thread);
	to->label[to->n_label++] = label_of(profile, "thread", thread);
}

static void add_sample(struct profile *profile, const struct share *share)
{
	pprof_sample *made = store_take(&profile->store, sizeof(*made));
	int64_t *value =
		store_take(&profile->store, VALUES * sizeof(*made->value));

	if (!made || !value)
		return;
	perftools__profiles__sample__init(made);
	value[0] = (int64_t)share->mappings;
	value[1] = (int64_t)share->reserved;
	value[2] = (int64_t)share->committed;
	value[3] = (int64_t)share->resident;
	made->value = value;
	made->n_value = VALUES;
	add_stack(profile, made, share);
	add_labels(profile, made, share);
	append(profile, &profile->sample, made);
}

/* ---- the whole ---------------------------------------------------------- */

static void add_types(struct profile *profile)
{
	const struct ledger *ledger = profile->from->ledger;
	pprof_profile *root = &profile->root;

	root->sample_type = store_take(&profile->store,
	                               VALUES * sizeof(*root->sample_type));
	if (!root->sample_type)
		return;
	root->sample_type[0] = type_of(profile, "mappings", "count");
	root->sample_type[1] = type_of(profile, "reserved", "bytes");
	root->sample_type[2] = type_of(profile, "committed", "bytes");
	root->sample_type[3] = type_of(profile, "resident", "bytes");
	root->n_sample_type = VALUES;
	root->period_type = type_of(profile, "mappings", "count");
	root->period = 1;
	root->default_sample_type = text_of(
		profile, ledger->reserved > 0 ? "reserved" : "committed");
}

static void add_comments(struct profile *profile)
{
	const struct ledger *ledger = profile->from->ledger;
	pprof_profile *root = &profile->root;
	char *command = command_text(ledger->run), *text[2] = { 0 };

	if (!command || asprintf(&text[0], "command: %s", command) < 0)
		text[0] = NULL;
	free(command);
	if (asprintf(&text[1],
	             "VmSize: %" PRIu64 " bytes, %" PRIu64
	             " of them goload's own, %" PRIu64 " unexplained",
	             ledger->vm_size, ledger->goload, ledger->unexplained) < 0)
		text[1] = NULL;
	root->comment = store_take(&profile->store, 2 * sizeof(*root->comment));
	for (int i = 0; i < 2; i++) {
		if (root->comment && text[i])
			root->comment[root->n_comment++] =
				text_of(profile, text[i]);
		else
			profile->store.failed = 1;
		free(text[i]);
	}
}

/* The program's own file comes first: pprof takes that for the main one. */
static void add_program(struct profile *profile)
{
	const struct ledger_run *run = profile->from->ledger->run;

	for (size_t i = 0; i < run->module_count; i++)
		if (run->module[i].module->kind == PATCH_PROGRAM) {
			mapping_of(profile, &run->module[i]);
			return;
		}
}

static void add_all(struct profile *profile, const struct shares *shares)
{
	const struct ledger *ledger = profile->from->ledger;

	text_of(profile, ""); /* the first is the empty one */
	add_types(profile);
	add_comments(profile);
	add_program(profile);
	for (size_t i = 0; i < shares->count; i++)
		add_sample(profile, &shares->share[i]);
	profile->root.time_nanos = (int64_t)ledger->run->program->started;
	profile->root.duration_nanos = (int64_t)ledger->duration;
}

static void settle(struct profile *profile)
{
	pprof_profile *root = &profile->root;
	size_t count = profile->strings.count;

	root->sample = profile->sample.item;
	root->n_sample = profile->sample.count;
	root->mapping = profile->mapping.item;
	root->n_mapping = profile->mapping.count;
	root->location = profile->location.item;
	root->n_location = profile->location.count;
	root->function = profile->function.item;
	root->n_function = profile->function.count;
	root->string_table = store_take(&profile->store,
	                                count * sizeof(*root->string_table));
	if (!root->string_table)
		return;
	root->n_string_table = count;
	for (size_t i = 0; i < count; i++)
		root->string_table[i] = (char *)profile->strings.key[i].bytes;
}

static int write_packed(FILE *out, const pprof_profile *root)
{
	size_t size = perftools__profiles__profile__get_packed_size(root);
	uint8_t *bytes = malloc(size);
	int done = 0;

	if (bytes) {
		perftools__profiles__profile__pack(root, bytes);
		done = write_gzip(out, bytes, size);
	}
	free(bytes);
	return done;
}

int export_pprof(FILE *out, const struct export_from *from)
{
	struct profile profile = { .from = from };
	struct store *store = &profile.store;
	struct shares shares;
	int done = shares_read(&shares, from);

	profile.strings.store = profile.functions.store = store;
	profile.locations.store = profile.mappings.store = store;
	profile.frames = ledger_frames_open(from->ledger->run, from->namer,
	                                    from->context);
	perftools__profiles__profile__init(&profile.root);
	if (done && profile.frames) {
		add_all(&profile, &shares);
		settle(&profile);
	}
	done = done && profile.frames && !store->failed &&
	       write_packed(out, &profile.root);
	ledger_frames_close(profile.frames);
	keys_free(&profile.strings);
	keys_free(&profile.functions);
	keys_free(&profile.locations);
	keys_free(&profile.mappings);
	free(profile.function.item);
	free(profile.location.item);
	free(profile.mapping.item);
	free(profile.sample.item);
	store_free(store);
	shares_free(&shares);
	return done;
}
