/*
 * Every mapping, from its beginning to its end: rectangles of addresses and
 * time that do not overlap, and that cover at each moment what was mapped.
 *
 * A ledger keeps no pieces, so the run is replayed once more, and the range map
 * says what ends.  When a part of a piece goes, that part has lived, and the
 * rest lives on.  What is left in the end is cut as it is for rows.
 *
 * The last look knows the files of what is left.  Of what had ended before it,
 * the modules of that time and other parts of the same mapping do.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct part { /* a life that has no kind yet */
	struct space_piece piece;
	const struct ledger_event *given; /* its name, or NULL */
	uint64_t until;
	uint64_t order; /* likewise, as a ticket */
};

struct build {
	const struct ledger_run *run;
	struct replay replay;
	struct kinds kinds;
	struct vector parts;
	size_t ended; /* the first of the parts are these */
	struct ledger_life *life;
	size_t count;
	const char **path; /* of each event's file, or NULL */
	struct vector paths;
	int checked, failed;
};

/* ---- parts -------------------------------------------------------------- */

/* The first part of `span` that has one name. */
static struct span one_name(const struct space *given, struct span span,
                            const struct ledger_event **from)
{
	const struct space_piece *name =
		space_get(given, space_seek(given, span.start));
	struct span part = span;

	*from = NULL;
	if (!name)
		return part;
	part.end = name->start;
	if (name->start <= span.start) {
		*from = name->event;
		part.end = name->end;
	}
	if (part.end > span.end)
		part.end = span.end;
	return part;
}

static void add_parts(struct build *build, const struct space_piece *piece)
{
	struct span left = { piece->start, piece->end };

	while (!span_empty(left)) {
		const struct ledger_event *given;
		struct span span = one_name(&build->replay.given, left, &given);
		struct part *part = vector_add(&build->parts, sizeof(*part));

		if (!part) {
			build->failed = 1;
			return;
		}
		*part = (struct part){ .piece = *piece,
			               .given = given,
			               .until = build->replay.space.now,
			               .order = build->replay.order };
		part->piece.start = span.start;
		part->piece.end = span.end;
		part->piece.offset += span.start - piece->start;
		left.start = span.end;
	}
}

/* What was gone within the same nanosecond was never seen. */
static void end_piece(void *context, const struct space_piece *piece)
{
	struct build *build = context;

	if (piece->born < build->replay.space.now)
		add_parts(build, piece);
}

static void add_left(struct build *build)
{
	const struct space *space = &build->replay.space;
	const struct space_piece *piece;
	struct space_at at = { 0 };

	build->ended = build->parts.count;
	for (; (piece = space_get(space, at)); at = space_next(space, at))
		add_parts(build, piece);
}

/* ---- files -------------------------------------------------------------- */

static const char **event_path(const struct build *build,
                               const struct space_piece *piece)
{
	return piece->event ? &build->path[piece->event - build->run->event]
	                    : NULL;
}

/* A look's line as a string: once for lines of one file in a row. */
static const char *keep_path(struct build *build, const struct look_line *line)
{
	char **last = build->paths.item;
	char *path;

	if (build->paths.count > 0) {
		path = last[build->paths.count - 1];
		if (strlen(path) == line->name_size &&
		    memcmp(path, line->name, line->name_size) == 0)
			return path;
	}
	path = strndup(line->name, line->name_size);
	last = path ? vector_add(&build->paths, sizeof(*last)) : NULL;
	if (!last) {
		free(path);
		build->failed = 1;
		return NULL;
	}
	return *last = path;
}

/* Of what is left.  Of a run without a last look, only what was there at boot
 * is known. */
static const char *path_of_left(struct build *build,
                                const struct space_piece *piece)
{
	const struct look *look = &build->kinds.files.look;
	size_t i = look_seek(look, piece->start);

	if (!build->checked && piece->event &&
	    piece->event->event->call < TRACE_FACT)
		return NULL;
	if (i == look->count || look->line[i].start > piece->start ||
	    look->line[i].inode == 0 || look->line[i].name_size == 0 ||
	    *look->line[i].name != '/')
		return NULL;
	return keep_path(build, &look->line[i]);
}

/* Did this call map the module's file from its beginning, or its code? */
static int brought(const struct trace_event *event,
                   const struct file_module *module, uint64_t page)
{
	return (module->start & -page) == event->result ||
	       module->code - event->result < event->args[1];
}

/* The module that was at the part's address when it was made; or that came
 * while it was there, with the call that made it or one behind. */
static const struct ledger_module *module_of(struct build *build,
                                             const struct part *part)
{
	const struct modules *modules = &build->kinds.names.modules;
	const struct space_piece *piece = &part->piece;
	uint64_t order = ledger_order(piece->event->event);
	struct module_span span;

	names_at(&build->kinds.names, build->run, piece->event);
	span = modules_find(modules, piece->start, order);
	if (span.module || span.until >= part->order ||
	    piece->flags & MAP_ANONYMOUS)
		return span.module;
	span = modules_find(modules, piece->start, span.until + 1);
	if (span.module && !brought(piece->event->event, span.module->module,
	                            build->run->page_size))
		span.module = NULL;
	return span.module;
}

/* Files as they were for a piece that has ended: in place of what the last look
 * has, its own path and module, behind the interpreter. */
static int forget_look(struct build *build)
{
	const struct ledger_run *run = build->run;
	struct files *files = &build->kinds.files;
	struct library *library;

	files_free(files);
	*files = (struct files){ 0 };
	files->look.line = calloc(1, sizeof(*files->look.line));
	files->library.item = library = calloc(2, sizeof(*library));
	if (!files->look.line || !library)
		return 0;
	for (size_t i = 0; i < run->module_count && !library->interpreter; i++)
		files_of_module(run, &run->module[i], library);
	return 1;
}

static const char *look_back(struct build *build, const struct part *part)
{
	const struct space_piece *piece = &part->piece;
	struct files *files = &build->kinds.files;
	const struct ledger_module *module = NULL;
	struct library *library = files->library.item;
	const char **path = event_path(build, piece);

	files->library.count = library->interpreter;
	files->look.count = 0;
	if (!path)
		return NULL;
	module = module_of(build, part);
	if (module)
		files->library.count += files_of_module(
			build->run, module, &library[files->library.count]);
	if (!*path && module && !(piece->flags & MAP_ANONYMOUS))
		*path = module->path;
	if (!*path)
		return NULL;
	files->look.line[0] = (struct look_line){
		.start = piece->start,
		.end = piece->end,
		.offset = piece->offset,
		.inode = 1,
		.name = *path,
		.name_size = strlen(*path),
		.prot = piece->prot,
	};
	files->look.count = 1;
	return *path;
}

/* ---- lives -------------------------------------------------------------- */

static struct claim claim_part(struct build *build,
                               const struct space_piece *piece,
                               const struct ledger_event *given)
{
	if (piece->what >= SPACE_OWN)
		return (struct claim){ .kind = rows_own_kind(piece->what),
			               .owner = "goload" };
	return kinds_claim(&build->kinds, piece, given);
}

static struct ledger_life *add_life(struct build *build,
                                    const struct part *part,
                                    const struct claim *claim)
{
	const struct space_piece *piece = &part->piece;
	struct ledger_life *life = &build->life[build->count++];

	*life = (struct ledger_life){
		.start = piece->start,
		.end = piece->end,
		.from = piece->born,
		.until = part->until,
		.offset = piece->offset,
		.event = piece->event,
		.kind = claim->kind,
		.owner = claim->owner,
		.site = { claim->place, claim->address, space_size(piece),
		          claim->at_start },
		.flags = piece->flags,
		.prot = piece->prot,
	};
	return life;
}

/* Parts that differ in age alone are one piece of a row: they are judged as
 * that. */
static const struct part *end_of_row(const struct part *part,
                                     const struct part *end)
{
	for (part++; part < end; part++)
		if (part[-1].given != part->given ||
		    !space_joins(&part[-1].piece, &part->piece))
			break;
	return part;
}

/* In the order of rows.c, which matters when there are too many words. */
static void name_left(struct build *build)
{
	const struct part *part = build->parts.item, *next;
	const struct part *end = part + build->parts.count;

	for (part += build->ended; part < end; part = next) {
		struct space_piece piece = part->piece;
		struct claim claim;

		next = end_of_row(part, end);
		piece.end = next[-1].piece.end;
		claim = claim_part(build, &piece, part->given);
		for (; part < next; part++) {
			struct ledger_life *life =
				add_life(build, part, &claim);
			const char **path = event_path(build, &part->piece);

			life->last = 1;
			life->path = path_of_left(build, &part->piece);
			if (path && life->path)
				*path = life->path;
		}
	}
}

static void name_ended(struct build *build)
{
	const struct part *part = build->parts.item;

	for (size_t i = 0; i < build->ended; i++, part++) {
		const char *path = look_back(build, part);
		struct claim claim =
			claim_part(build, &part->piece, part->given);

		add_life(build, part, &claim)->path = path;
	}
}

/* ---- resident ----------------------------------------------------------- */

/* To lives that are left, in order of address: what each has of a range. */
static void spread_resident(struct build *build)
{
	const struct ledger_run *run = build->run;
	size_t first = 0;

	for (size_t i = 0; i < run->resident_count; i++) {
		const struct file_resident *from = &run->resident[i];
		struct span range = { from->start, from->end };
		uint64_t size = range.end - range.start;
		uint64_t bytes = from->bytes < size ? from->bytes : size;

		if (span_empty(range))
			continue;
		while (first > 0 && build->life[first - 1].end > range.start)
			first--;
		while (first < build->count &&
		       build->life[first].end <= range.start)
			first++;
		for (size_t k = first; k < build->count; k++) {
			struct ledger_life *life = &build->life[k];
			struct span span = span_cross(
				(struct span){ life->start, life->end }, range);

			if (span_empty(span))
				break;
			life->resident += span_share(bytes, size,
			                             span.end - range.start) -
			                  span_share(bytes, size,
			                             span.start - range.start);
		}
	}
}

/* ---- the whole ---------------------------------------------------------- */

static int by_birth(const void *left, const void *right)
{
	const struct ledger_life *a = left, *b = right;

	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

static int fill_in(struct build *build, struct ledger *again,
                   ledger_namer *namer, void *context)
{
	if (!replay_watched(&build->replay, build->run, end_piece, build) ||
	    !check_run(&build->replay, again))
		return 0;
	build->checked = again->checked;
	add_left(build);
	build->life = calloc(build->parts.count + 1, sizeof(*build->life));
	build->path = calloc(build->run->event_count + 1, sizeof(char *));
	if (build->failed || !build->life || !build->path ||
	    !kinds_init(&build->kinds, build->run, namer, context))
		return 0;
	name_left(build);
	spread_resident(build);
	if (!forget_look(build))
		return 0;
	name_ended(build);
	qsort(build->life, build->count, sizeof(*build->life), by_birth);
	return !build->failed && !build->kinds.names.failed;
}

/* Words and paths, all of which the lives own. */
static int hand_over(struct build *build, struct ledger_lives *lives)
{
	struct vector *words = &build->kinds.words.list;
	char **path = build->paths.item;
	int done = 1;

	for (size_t i = 0; i < build->paths.count; i++) {
		char **word = vector_add(words, sizeof(*word));

		if (word)
			*word = path[i];
		else
			free(path[i]);
		done &= word != NULL;
	}
	lives->life = build->life;
	lives->count = build->count;
	lives->word = words->item;
	lives->word_count = words->count;
	return done;
}

struct ledger_lives *ledger_lives(const struct ledger *ledger,
                                  ledger_namer *namer, void *context)
{
	struct ledger_lives *lives = calloc(1, sizeof(*lives));
	struct ledger *again = calloc(1, sizeof(*again));
	struct build *build = calloc(1, sizeof(*build));
	int done = 0;

	if (lives && again && build) {
		again->run = build->run = ledger->run;
		done = fill_in(build, again, namer, context);
		done &= hand_over(build, lives);
		kinds_free(&build->kinds);
		replay_free(&build->replay);
		free(build->parts.item);
		free(build->paths.item);
		free(build->path);
	}
	free(build);
	ledger_free(again);
	if (done)
		return lives;
	ledger_lives_free(lives);
	return NULL;
}

void ledger_lives_free(struct ledger_lives *lives)
{
	if (!lives)
		return;
	for (size_t i = 0; i < lives->word_count; i++)
		free(lives->word[i]);
	free(lives->word);
	free(lives->life);
	free(lives);
}

/* ---- the peak ------------------------------------------------------------ */

static int by_end(const void *left, const void *right)
{
	const struct ledger_life *a = *(const struct ledger_life *const *)left;
	const struct ledger_life *b = *(const struct ledger_life *const *)right;

	return (a->until > b->until) - (a->until < b->until);
}

uint64_t ledger_lives_peak(const struct ledger *ledger,
                           const struct ledger_lives *lives)
{
	const struct ledger_life **ended =
		calloc(lives->count + 1, sizeof(*ended));
	uint64_t size = 0, most = 0, peak = ledger->duration;
	size_t count = 0, gone = 0;

	if (!ended)
		return peak;
	for (size_t i = 0; i < lives->count; i++)
		if (!lives->life[i].last)
			ended[count++] = &lives->life[i];
	qsort(ended, count, sizeof(*ended), by_end);
	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];

		for (; gone < count && ended[gone]->until <= life->from; gone++)
			size -= ended[gone]->end - ended[gone]->start;
		size += life->end - life->start;
		if (i + 1 < lives->count && life[1].from == life->from)
			continue; /* there is more at this moment */
		if (size > most) {
			most = size;
			peak = life->from;
		}
	}
	free(ended);
	return peak;
}
