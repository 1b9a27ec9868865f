/* inspect - goload inspect ELF: what it is, and how its syscall sites are
 * served. */
#include "observer/cli/cli.h"

#include "observer/sites/sites.h"
#include "observer/symbol/symbol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS 64

static const char *const linkages[] = {
	[FILE_STATIC] = "static",
	[FILE_STATIC_PIE] = "static-pie",
	[FILE_DYNAMIC] = "dynamic",
	[FILE_DYNAMIC_PIE] = "dynamic-pie",
};

struct inspected {
	const char *path;
	const uint8_t *bytes;
	size_t size;
	struct symbol_file *symbols;
	struct sites_result sites;
	size_t real, served[SITES_VERDICTS];
};

static void find(struct inspected *file)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	struct symbol_text found[TEXTS];
	struct sites_text text[TEXTS];
	size_t count = symbol_texts(file->symbols, found, TEXTS);
	struct sites_input input = {
		.text = text,
		.go_text = { info->go_text[0], info->go_text[1] },
	};

	for (size_t i = 0; i < count && i < TEXTS; i++)
		if (found[i].offset <= file->size &&
		    found[i].size <= file->size - found[i].offset)
			text[input.text_count++] = (struct sites_text){
				file->bytes + found[i].offset, found[i].address,
				found[i].size
			};
	input.start_count = symbol_starts(file->symbols, &input.starts);
	if (sites_find(&input, &file->sites) != SITES_OK)
		cli_fail(CLI_FAILED, file->path, ENOMEM, "cannot be inspected");
	for (size_t i = 0; i < file->sites.count; i++) {
		enum sites_verdict verdict = file->sites.site[i].verdict;

		file->served[verdict]++;
		file->real += sites_real(verdict);
	}
}

static const char *place_of(const struct inspected *file, uint64_t address,
                            char *text, size_t room)
{
	struct symbol_place place;

	if (symbol_find(file->symbols, address, &place))
		snprintf(text, room, "%s+0x%llx", place.function,
		         (unsigned long long)(address - place.start));
	else
		snprintf(text, room, "?");
	return text;
}

static const char *number_of(const struct trace_patch *patch, char *text,
                             size_t room)
{
	if (patch->nr == PATCH_ANY)
		return "any";
	snprintf(text, room, "%d", patch->nr);
	return text;
}

/* Names are the file's: what a terminal would act on is shown as '?'. */
static const char *harmless(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 32 || *c == 127)
			*c = '?';
	return text;
}

static void print_sites(const struct inspected *file)
{
	for (size_t i = 0; i < file->sites.count; i++) {
		const struct sites_site *site = &file->sites.site[i];
		char where[256], number[16];

		if (!sites_real(site->verdict))
			continue;
		place_of(file, site->patch.site, where, sizeof(where));
		printf("0x%-16llx %6s %2u+2+%-2u %-40s %s\n",
		       (unsigned long long)site->patch.site,
		       number_of(&site->patch, number, sizeof(number)),
		       site->patch.before, site->patch.after, harmless(where),
		       sites_verdict_name(site->verdict));
	}
}

static void print_text(const struct inspected *file,
                       const struct report_style *style)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	const char *bold = style->colour ? "\033[1m" : "";
	const char *dim = style->colour ? "\033[2m" : "";
	const char *off = style->colour ? "\033[0m" : "";

	printf("%s%s%s: %s%s%s%s\n", bold, file->path, off,
	       linkages[info->linkage], info->stripped ? ", stripped" : "",
	       info->go_version ? ", " : "",
	       info->go_version ? info->go_version : "");
	if (info->interp)
		printf("interpreter: %s\n", info->interp);
	if (info->build_id)
		printf("build id: %s\n", info->build_id);
	printf("\n%zu syscall sites; %zu byte pairs inside other instructions\n",
	       file->real, file->served[SITES_INSIDE]);
	for (int v = SITES_BACKWARD; v < SITES_INSIDE; v++)
		if (file->served[v])
			printf("  %6zu  %s\n", file->served[v],
			       sites_verdict_name(v));
	printf("\n%s%-18s %6s %6s  %-40s %s%s\n", dim, "address", "number",
	       "bytes", "function", "served", off);
	print_sites(file);
}

static void print_string(const char *s)
{
	if (s)
		report_json_string(stdout, s);
	else
		printf("null");
}

static void print_json(const struct inspected *file)
{
	const struct symbol_info *info = symbol_info(file->symbols);
	const char *comma = "";

	printf("{\"schema\": \"goload/1\", \"path\": ");
	print_string(file->path);
	printf(", \"linkage\": \"%s\", \"stripped\": %s, \"go_version\": ",
	       linkages[info->linkage], info->stripped ? "true" : "false");
	print_string(info->go_version);
	printf(", \"build_id\": ");
	print_string(info->build_id);
	printf(", \"interpreter\": ");
	print_string(info->interp);
	printf(",\n \"sites\": [");
	for (size_t i = 0; i < file->sites.count; i++) {
		const struct sites_site *site = &file->sites.site[i];
		char where[256];

		if (!sites_real(site->verdict))
			continue;
		printf("%s\n  {\"address\": \"0x%llx\", \"number\": ", comma,
		       (unsigned long long)site->patch.site);
		comma = ",";
		if (site->patch.nr == PATCH_ANY)
			printf("null");
		else
			printf("%d", site->patch.nr);
		printf(", \"patched\": %s, \"served\": ",
		       sites_patched(site->verdict) ? "true" : "false");
		print_string(sites_verdict_name(site->verdict));
		printf(", \"function\": ");
		print_string(
			place_of(file, site->patch.site, where, sizeof(where)));
		printf("}");
	}
	printf("]}\n");
}

int cli_inspect(const struct cli_options *options)
{
	struct inspected file = { .path = options->operand[0] };
	struct report_style style;

	if (options->operands > 1)
		cli_misused("inspect", options->operand[1],
		            "one file at a time");
	file.bytes = cli_map(file.path, &file.size);
	if (!file.bytes && errno)
		cli_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_CANNOT_LOAD,
		         file.path, errno, "cannot be read");
	if (file.bytes)
		file.symbols = symbol_open(file.bytes, file.size);
	if (!file.symbols)
		cli_fail(CLI_CANNOT_LOAD, file.path, 0, "is not an ELF file");
	find(&file);
	cli_page(options);
	style = cli_style(stdout, options);
	if (options->format == REPORT_JSON)
		print_json(&file);
	else
		print_text(&file, &style);
	cli_close_output(stdout, NULL);
	sites_free(&file.sites);
	symbol_close(file.symbols);
	return CLI_OK;
}
