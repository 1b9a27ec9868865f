/*
 * Two programs side by side, by the ledgers of their runs.
 *
 * Of each ledger is kept what is compared: its totals, and of each row what it
 * comes to.  What is goload's own and what is unexplained are rows too, so the
 * rows of a run add up to its VmSize.
 */
#include "observer/report/compare.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is kept -------------------------------------------------------- */

struct report_compare *report_compare_open(void)
{
	return calloc(1, sizeof(struct report_compare));
}

static void free_side(struct side *side)
{
	for (size_t i = 0; i < side->count; i++)
		free(side->run[i].cell);
	free(side->run);
	free(side->path);
	free(side->go_version);
	free(side->build_id);
}

void report_compare_free(struct report_compare *compare)
{
	if (!compare)
		return;
	free_side(&compare->side[A]);
	free_side(&compare->side[B]);
	for (size_t i = 0; i < compare->keys; i++) {
		free(compare->key[i].kind);
		free(compare->key[i].owner);
	}
	free(compare->key);
	free(compare->what_if);
	free(compare);
}

int report_compare_what_if(struct report_compare *compare, const char *settings)
{
	compare->what_if = strdup(settings);
	return compare->what_if != NULL;
}

const struct row_cell *cell_of(const struct side_run *run, size_t key)
{
	static const struct row_cell none;

	return key < run->cells ? &run->cell[key] : &none;
}

/* ---- a ledger comes in --------------------------------------------------- */

static struct row_key *add_key(struct report_compare *compare, const char *kind,
                               const char *owner, int last)
{
	struct row_key *key =
		reallocarray(compare->key, compare->keys + 1, sizeof(*key));

	if (!key)
		return NULL;
	compare->key = key;
	key += compare->keys;
	*key = (struct row_key){ strdup(kind), strdup(owner), last };
	if (!key->kind || !key->owner) {
		free(key->kind);
		free(key->owner);
		return NULL;
	}
	compare->keys++;
	return key;
}

/* The run's cell of that name, to be added to; NULL when memory is short. */
static struct row_cell *cell_for(struct report_compare *compare,
                                 struct side_run *run, const char *kind,
                                 const char *owner, int last)
{
	struct row_cell *cell;
	size_t key = 0;

	for (; key < compare->keys; key++)
		if (compare->key[key].last == last &&
		    strcmp(compare->key[key].kind, kind) == 0 &&
		    strcmp(compare->key[key].owner, owner) == 0)
			break;
	if (key == compare->keys && !add_key(compare, kind, owner, last))
		return NULL;
	if (key >= run->cells) {
		cell = reallocarray(run->cell, compare->keys, sizeof(*cell));
		if (!cell)
			return NULL;
		memset(cell + run->cells, 0,
		       (compare->keys - run->cells) * sizeof(*cell));
		run->cell = cell;
		run->cells = compare->keys;
	}
	return &run->cell[key];
}

static int add_row(struct report_compare *compare, struct side_run *run,
                   const struct ledger_row *row)
{
	struct row_cell *cell =
		cell_for(compare, run, row->kind, row->owner, 0);

	if (!cell)
		return 0;
	cell->bytes[VM_SIZE] += row->reserved + row->committed;
	cell->bytes[COMMITTED] += row->committed;
	cell->bytes[RESERVED] += row->reserved;
	cell->bytes[RESIDENT] += row->resident;
	cell->mappings += row->mappings;
	cell->makes += row->makes;
	if (cell->largest < row->largest)
		cell->largest = row->largest;
	return 1;
}

static int add_rows(struct report_compare *compare, struct side_run *run,
                    const struct ledger *ledger)
{
	struct row_cell *cell;

	for (size_t i = 0; i < ledger->row_count; i++)
		if (!add_row(compare, run, &ledger->row[i]))
			return 0;
	cell = cell_for(compare, run, "goload itself", "goload", 1);
	if (!cell)
		return 0;
	cell->bytes[VM_SIZE] = ledger->goload;
	if (!ledger->unexplained)
		return 1;
	cell = cell_for(compare, run, "unexplained", "unknown", 2);
	if (cell)
		cell->bytes[VM_SIZE] = ledger->unexplained;
	return cell != NULL;
}

/* ---- the peak ------------------------------------------------------------ */

static int is_alive(const struct ledger_life *life, uint64_t t)
{
	return life->from <= t && (t < life->until || life->last);
}

/* When nothing was ever larger than the end, the rows at the end are it. */
static void peak_is_end(struct side_run *run)
{
	for (size_t i = 0; i < run->cells; i++)
		run->cell[i].bytes[PEAK] = run->cell[i].bytes[VM_SIZE];
	run->peak_by_row = 1;
}

static int add_peak(struct report_compare *compare, struct side_run *run,
                    const struct ledger *ledger,
                    const struct ledger_lives *lives)
{
	uint64_t t = ledger_lives_peak(ledger, lives), sum = 0;

	for (size_t i = 0; i < lives->count; i++) {
		const struct ledger_life *life = &lives->life[i];
		int own = strcmp(life->owner, "goload") == 0;
		struct row_cell *cell;

		if (!is_alive(life, t))
			continue;
		cell = cell_for(compare, run,
		                own ? "goload itself" : life->kind, life->owner,
		                own);
		if (!cell)
			return 0;
		cell->bytes[PEAK] += life->end - life->start;
		sum += life->end - life->start;
	}
	run->peak_by_row = sum == ledger->peak_vm_size;
	for (size_t i = 0; i < run->cells && !run->peak_by_row; i++)
		run->cell[i].bytes[PEAK] = 0;
	return 1;
}

/* ---- the side ------------------------------------------------------------ */

static int name_side(struct side *side, const struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;

	side->linkage = report_linkage(ledger);
	side->stripped = run->program->stripped != 0;
	side->path = strdup(run->path);
	if (run->go_version)
		side->go_version = strdup(run->go_version);
	if (run->build_id)
		side->build_id = strdup(run->build_id);
	return side->path && !!side->go_version == !!run->go_version &&
	       !!side->build_id == !!run->build_id;
}

static int fill_run(struct report_compare *compare, struct side_run *run,
                    const struct ledger *ledger,
                    const struct ledger_lives *lives)
{
	*run = (struct side_run){
		.total = { [VM_SIZE] = ledger->vm_size,
		           [COMMITTED] = ledger->committed,
		           [RESERVED] = ledger->reserved,
		           [RESIDENT] = ledger->resident,
		           [PEAK] = ledger->peak_vm_size },
		.target = ledger->target,
		.goload = ledger->goload,
		.unexplained = ledger->unexplained,
		.goload_resident = ledger->goload_resident,
		.mappings = ledger->mappings,
		.checked = ledger->checked,
		.cut = ledger->run->torn || !ledger->run->end,
	};
	if (!add_rows(compare, run, ledger))
		return 0;
	if (ledger->peak_vm_size == ledger->vm_size)
		peak_is_end(run);
	else if (lives)
		return add_peak(compare, run, ledger, lives);
	return 1;
}

int report_compare_add(struct report_compare *compare, int which,
                       const struct ledger *ledger,
                       const struct ledger_lives *lives)
{
	struct side *side = &compare->side[which];
	struct side_run *run;

	if (side->count == 0 && !name_side(side, ledger))
		return 0;
	run = reallocarray(side->run, side->count + 1, sizeof(*run));
	if (!run)
		return 0;
	side->run = run;
	return fill_run(compare, &run[side->count++], ledger, lives);
}

/* ---- what is shown ------------------------------------------------------- */

static size_t smaller_than(const struct side *side, size_t run)
{
	size_t count = 0;

	for (size_t i = 0; i < side->count; i++) {
		uint64_t size = side->run[i].total[VM_SIZE];
		uint64_t own = side->run[run].total[VM_SIZE];

		count += size < own || (size == own && i < run);
	}
	return count;
}

/* A run that was, not a mean of several: its rows add up. */
static size_t median_of(const struct side *side)
{
	size_t run = 0;

	while (smaller_than(side, run) != (side->count - 1) / 2)
		run++;
	return run;
}

int report_compare(FILE *out, struct report_compare *compare,
                   enum report_format format, const struct report_style *style)
{
	struct pairs pairs;
	int done = 1;

	for (int side = A; side < SIDES; side++)
		compare->side[side].median = median_of(&compare->side[side]);
	if (!pairs_join(&pairs, compare, compare->side[A].median,
	                compare->side[B].median))
		return 0;
	if (format == REPORT_TEXT)
		compare_text(out, compare, &pairs, style);
	else if (format == REPORT_JSON)
		done = compare_json(out, compare, &pairs);
	else if (format == REPORT_HTML)
		done = compare_html(out, compare, &pairs);
	else
		compare_markdown(out, compare, &pairs);
	pairs_free(&pairs);
	return done;
}
