/*
 * The net's calls, site by site.  A call about memory is an event and names its
 * site.  Others leave none: they came from sites without a patch, of which
 * every file's are known.
 */
#include "observer/ledger/internal.h"

#include <stdlib.h>
#include <string.h>

static int is_patched(const struct file_site *site)
{
	return site->before + site->after > 0;
}

static int no_patching(const struct ledger_run *run)
{
	return run->program->options & SESSION_NO_PATCH;
}

static void count_sites(struct ledger *ledger)
{
	const struct ledger_run *run = ledger->run;

	for (size_t i = 0; i < run->sites_count; i++) {
		ledger->sites += run->sites[i].count;
		for (size_t j = 0; j < run->sites[i].count; j++)
			ledger->sites_patched +=
				is_patched(&run->sites[i].site[j]);
	}
	if (no_patching(run))
		ledger->sites_patched = 0;
}

static const struct file_site *site_at(const struct ledger_sites *sites,
                                       uint64_t address)
{
	size_t low = 0, count = sites->count;

	while (count) {
		size_t half = count / 2;

		if (sites->site[low + half].site < address) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low < sites->count && sites->site[low].site == address
	               ? &sites->site[low]
	               : NULL;
}

/* The file's name, its function, and how the file says it is served. */
static void tell_site(const struct ledger_run *run,
                      struct ledger_net_site *site, ledger_namer *namer,
                      void *context)
{
	const struct ledger_module *module = ledger_module_at(run, site->address);

	if (!module || (site->path && strcmp(module->path, site->path) != 0))
		return; /* of the vDSO, whose place is not recorded */
	site->path = module->path;
	site->in_file = site->address - module->module->bias;
	for (size_t i = 0; i < run->sites_count; i++) {
		const struct file_site *found;

		if (strcmp(run->sites[i].path, module->path) != 0)
			continue;
		found = site_at(&run->sites[i], site->in_file);
		site->how = found ? found->how : 0;
	}
	site->place.module = module;
	/* as if it were returned to: behind the instruction */
	if (namer && !namer(context, site->address + 2, &site->place))
		site->place = (struct ledger_place){ 0 };
}

static int by_address(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static int by_site(const void *left, const void *right)
{
	const struct ledger_net_site *a = left, *b = right;

	return (a->address > b->address) - (a->address < b->address);
}

static int by_calls(const void *left, const void *right)
{
	const struct ledger_net_site *a = left, *b = right;

	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return by_site(left, right);
}

/* Addresses of the recorded calls that the net carried. */
static int gather(const struct ledger_run *run, struct vector *addresses)
{
	for (size_t i = 0; i < run->event_count; i++) {
		const struct trace_event *event = run->event[i].event;
		uint64_t *address;

		if (event->call >= TRACE_FACT || !(event->flags & TRACE_BY_NET))
			continue;
		address = vector_add(addresses, sizeof(*address));
		if (!address)
			return 0;
		*address = event->site;
	}
	if (addresses->count)
		qsort(addresses->item, addresses->count, sizeof(uint64_t),
		      by_address);
	return 1;
}

/* One item for each address, with how often it is there. */
static int count_calls(const struct vector *addresses, struct vector *sites)
{
	const uint64_t *address = addresses->item;
	struct ledger_net_site *site = NULL;

	for (size_t i = 0; i < addresses->count; i++) {
		if (!site || site->address != address[i]) {
			site = vector_add(sites, sizeof(*site));
			if (!site)
				return 0;
			*site = (struct ledger_net_site){
				.address = address[i],
				.in_file = address[i],
			};
		}
		site->calls++;
	}
	return 1;
}

/* The sites with calls are sorted by address so far. */
static int is_listed(const struct vector *list, size_t count, uint64_t address)
{
	const struct ledger_net_site key = { .address = address };

	return count && bsearch(&key, list->item, count, sizeof(key), by_site);
}

/* The bias of the file that was mapped first under this path. */
static uint64_t bias_of(const struct ledger_run *run, const char *path)
{
	for (size_t i = 0; i < run->module_count; i++)
		if (strcmp(run->module[i].path, path) == 0)
			return run->module[i].module->bias;
	return 0;
}

/* The sites of the files that have no patch, as far as not there already. */
static int add_unpatched(const struct ledger_run *run, struct vector *list)
{
	size_t with_calls = list->count;

	for (size_t i = 0; i < run->sites_count; i++) {
		const struct ledger_sites *sites = &run->sites[i];
		uint64_t bias = bias_of(run, sites->path);

		for (size_t j = 0; j < sites->count; j++) {
			uint64_t address = sites->site[j].site + bias;
			struct ledger_net_site *site;

			if (is_patched(&sites->site[j]) ||
			    is_listed(list, with_calls, address))
				continue;
			site = vector_add(list, sizeof(*site));
			if (!site)
				return 0;
			*site = (struct ledger_net_site){
				.path = sites->path,
				.address = address,
				.in_file = sites->site[j].site,
				.how = sites->site[j].how,
			};
		}
	}
	return 1;
}

static int list_sites(struct ledger *ledger, struct vector *sites)
{
	struct vector addresses = { 0 };
	int done = gather(ledger->run, &addresses) &&
	           count_calls(&addresses, sites);

	free(addresses.item);
	if (done && ledger->net_hits > ledger->net_recorded &&
	    !no_patching(ledger->run))
		done = add_unpatched(ledger->run, sites);
	return done;
}

int net_build(struct ledger *ledger, ledger_namer *namer, void *context)
{
	struct vector sites = { 0 };
	int done = list_sites(ledger, &sites);

	count_sites(ledger);
	ledger->net_site = sites.item;
	ledger->net_site_count = sites.count;
	for (size_t i = 0; i < sites.count; i++)
		tell_site(ledger->run, &ledger->net_site[i], namer, context);
	if (sites.count)
		qsort(sites.item, sites.count, sizeof(*ledger->net_site),
		      by_calls);
	return done;
}
