/*
 * The stacks of the ledger as flame graphs want them: "kind;outer;...;inner
 * bytes", each stack once, those with nothing left out.
 */
#include "observer/report/export/internal.h"
#include "observer/report/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct folding {
	const struct export_from *from;
	struct ledger_frames *frames;
	struct store store;
	struct keys lines;
	struct list bytes; /* uint64_t of each line */
};

static uint64_t measure(const struct folding *folding,
                        const struct share *share)
{
	switch (folding->from->metric) {
	case EXPORT_RESERVED:
		return share->reserved;
	case EXPORT_COMMITTED:
		return share->committed;
	case EXPORT_RESIDENT:
		return share->resident;
	default:
		return share->reserved + share->committed;
	}
}

/* What would end a frame or a line is shown as '?', a semicolon as a colon. */
static void put_text(FILE *line, const char *text)
{
	for (; *text; text++)
		putc(*text == ';'                ? ':'
		     : (unsigned char)*text < 32 ? '?'
		     : *text == 127              ? '?'
		                                 : *text,
		     line);
}

/* Without a name: the file and the address in it, equal in each run. */
static void put_frame(FILE *line, const struct ledger_frame *frame)
{
	const struct ledger_place *place = &frame->place;

	putc(';', line);
	if (place->function) {
		put_text(line, place->function);
	} else if (place->module) {
		put_text(line, units_base_name(place->module->path));
		fprintf(line, "+0x%" PRIx64,
		        frame->address - place->module->module->bias);
	} else {
		fprintf(line, "0x%" PRIx64, frame->address);
	}
}

static void put_stack(struct folding *folding, FILE *line,
                      const struct share *share)
{
	const struct ledger_frame *frame;
	size_t count = 0;

	put_text(line, text_clean(&folding->store, share->life->kind));
	if (share->call)
		count = ledger_frames_of(folding->frames, share->call, &frame);
	if (count == 0) {
		const char *name = share_name(
			&folding->store, folding->from->ledger, share->life);

		putc(';', line);
		put_text(line, text_clean(&folding->store, name));
	}
	while (count > 0)
		put_frame(line, &frame[--count]);
}

static void fold(struct folding *folding, const struct share *share)
{
	size_t before = folding->lines.count, index, size;
	char *text = NULL;
	FILE *line = open_memstream(&text, &size);
	uint64_t *bytes;

	if (!line) {
		folding->store.failed = 1;
		return;
	}
	put_stack(folding, line, share);
	if (fclose(line) == 0) {
		index = keys_put(&folding->lines, text, size);
		if (index == before)
			list_add(&folding->bytes, sizeof(*bytes),
			         &folding->store);
		bytes = folding->bytes.item;
		if (!folding->store.failed)
			bytes[index] += measure(folding, share);
	} else {
		folding->store.failed = 1;
	}
	free(text);
}

static void write_lines(FILE *out, const struct folding *folding)
{
	const uint64_t *bytes = folding->bytes.item;

	for (size_t i = 0; i < folding->lines.count; i++)
		if (bytes[i])
			fprintf(out, "%s %" PRIu64 "\n",
			        (const char *)folding->lines.key[i].bytes,
			        bytes[i]);
}

int export_folded(FILE *out, const struct export_from *from)
{
	struct folding folding = { .from = from };
	struct shares shares;
	int done = shares_read(&shares, from);

	folding.lines.store = &folding.store;
	folding.frames = ledger_frames_open(from->ledger->run, from->namer,
	                                    from->context);
	done = done && folding.frames;
	for (size_t i = 0; done && i < shares.count; i++)
		fold(&folding, &shares.share[i]);
	done = done && !folding.store.failed;
	if (done)
		write_lines(out, &folding);
	ledger_frames_close(folding.frames);
	keys_free(&folding.lines);
	free(folding.bytes.item);
	store_free(&folding.store);
	shares_free(&shares);
	return done;
}
