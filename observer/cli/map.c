/*
 * map - goload map: the address space of a run at a moment, of a process, or of
 * a saved listing.
 */
#include "observer/cli/cli.h"

#include "observer/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a run -------------------------------------------------------------- */

struct view {
	const struct cli_options *options;
	struct cli_opened of;
	struct ledger_lives *lives;
};

/* When the program's first instruction was about to run. */
static uint64_t start_of(const struct ledger_run *run)
{
	for (size_t i = 0; i < run->look_count; i++)
		if (run->look[i].look->when == FILE_LOOK_BOOT)
			return ledger_time(run, run->look[i].look->tsc);
	return 0;
}

static uint64_t moment_of(const struct view *view)
{
	const struct ledger *ledger = view->of.ledger;
	const char *at = view->options->at;
	uint64_t t;

	if (!at || strcmp(at, "end") == 0)
		return ledger->duration;
	if (strcmp(at, "start") == 0)
		return start_of(view->of.run);
	if (strcmp(at, "peak") == 0)
		return ledger_lives_peak(ledger, view->lives);
	if (!cli_read_time(at, &t))
		cli_misused("map", at,
		            "is no moment: 12.5ms, 1.2s, a number of ns, "
		            "start, peak or end");
	if (t > ledger->duration)
		cli_fail(CLI_FAILED, view->options->operand[0], 0,
		         "ended %" PRIu64 " ns after its start",
		         ledger->duration);
	return t;
}

/* As /proc/PID/maps has it, or with 0x. */
static uint64_t read_address(const char *text)
{
	char *end;
	uint64_t address;

	errno = 0;
	address = strtoull(text, &end, 16);
	if (errno || end == text || *end ||
	    !strchr("0123456789abcdefABCDEF", *text))
		cli_misused("map", text, "is no address: c000000000");
	return address;
}

static void read_view(struct view *view, const char *path)
{
	view->of = cli_open_run(path, "reading");
	view->lives = ledger_lives(view->of.ledger, cli_name, view->of.names);
	if (!view->lives)
		cli_fail(CLI_FAILED, path, ENOMEM, "cannot build the ledger");
	cli_progress_end();
}

static bool print_view(FILE *out, const struct view *view, uint64_t t,
                       const uint64_t *address,
                       const struct report_style *style)
{
	struct ledger_frames *frames;
	bool done;

	if (!address)
		return report_map(out, view->of.ledger, view->lives, t, style);
	frames = ledger_frames_open(view->of.run, cli_name, view->of.names);
	done = frames && report_address(out, view->of.ledger, view->lives,
	                                frames, t, *address, style);
	ledger_frames_close(frames);
	return done;
}

static int map_run(const struct cli_options *options)
{
	struct view view = { .options = options };
	struct report_style style;
	uint64_t address = 0, t;
	FILE *out;
	bool done;

	if (options->addr)
		address = read_address(options->addr);
	read_view(&view, options->operand[0]);
	t = moment_of(&view);
	cli_page(options);
	out = cli_open_output(options, &view.of, 1);
	style = cli_style(out, options);
	done = print_view(out, &view, t, options->addr ? &address : NULL,
	                  options->format == REPORT_JSON ? NULL : &style);
	cli_close_output(out, options->output);
	ledger_lives_free(view.lives);
	cli_close_run(&view.of);
	if (!done)
		cli_fail(CLI_FAILED, NULL, ENOMEM, "cannot print the map");
	return CLI_OK;
}

/* ---- the kernel's listing ------------------------------------------------ */

#define LISTING_MOST (256u << 20)

/* All of a file that does not tell its size; NULL with errno set. */
static char *read_all(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL, *grown;
	size_t room = 0;
	ssize_t n = 1;

	*size = 0;
	while (fd >= 0 && n > 0) {
		if (*size == LISTING_MOST) {
			errno = EFBIG;
			break;
		}
		if (*size == room) {
			room = room ? 2 * room : 1 << 16;
			grown = realloc(bytes, room);
			if (!grown)
				break;
			bytes = grown;
		}
		n = read(fd, bytes + *size, room - *size);
		*size += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && n == 0)
		return bytes;
	free(bytes);
	return NULL;
}

static int print_listing(const struct cli_options *options, const char *object,
                         const struct report_listing *listing)
{
	struct report_style style;
	FILE *out;
	int done = report_listing(NULL, listing, NULL);

	if (done > 0) {
		cli_page(options);
		out = cli_open_output(options, NULL, 0);
		style = cli_style(out, options);
		done = report_listing(out, listing,
		                      options->format == REPORT_JSON ? NULL
		                                                     : &style);
		cli_close_output(out, options->output);
	}
	if (done > 0)
		return CLI_OK;
	cli_fail(CLI_FAILED, object, done ? 0 : ENOMEM, "%s",
	         done == REPORT_NO_LINE     ? "has no line of a map"
	         : done == REPORT_UNORDERED ? "has lines out of order"
	                                    : "cannot be read");
}

/* Go programs alone have a heap where Go's would be. */
static bool is_no_go(const char *path)
{
	size_t size = 0;
	const void *bytes = cli_map(path, &size);
	struct symbol_file *file = bytes ? symbol_open(bytes, size) : NULL;
	bool no_go = file && !symbol_info(file)->go_version;

	symbol_close(file);
	return no_go;
}

static int map_process(const struct cli_options *options)
{
	struct report_listing listing = { 0 };
	char path[64], program[4096];
	char *end;
	ssize_t size;
	size_t n;

	errno = 0;
	listing.pid = strtoul(options->pid, &end, 10);
	if (errno || *end || *options->pid < '0' || *options->pid > '9' ||
	    listing.pid == 0)
		cli_misused("map", options->pid, "is no process ID");
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/smaps", listing.pid);
	listing.text = read_all(path, &n);
	listing.size = n;
	if (!listing.text && errno == ENOENT)
		cli_fail(CLI_FAILED, options->pid, 0,
		         "there is no such process");
	if (!listing.text)
		cli_fail(CLI_FAILED, path, errno, "cannot be read");
	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/exe", listing.pid);
	size = readlink(path, program, sizeof(program) - 1);
	if (size > 0) {
		program[size] = 0;
		listing.program = program;
		listing.no_go = is_no_go(path);
	}
	return print_listing(options, options->pid, &listing);
}

static int map_listing(const struct cli_options *options)
{
	struct report_listing listing = { .file = options->maps };

	listing.text = read_all(options->maps, &listing.size);
	if (!listing.text)
		cli_fail(CLI_FAILED, options->maps, errno, "cannot be read");
	return print_listing(options, options->maps, &listing);
}

int cli_map_verb(const struct cli_options *options)
{
	bool live = options->pid || options->maps;

	if (options->pid && options->maps)
		cli_misused("map", "--maps", "not together with --pid");
	if (live && (options->at || options->addr))
		cli_misused("map", options->at ? "--at" : "--addr",
		            "is for a run file");
	if (live && options->operands)
		cli_misused("map", options->operand[0],
		            "no run file with --pid or --maps");
	if (!live && options->operands > 1)
		cli_misused("map", options->operand[1], "one file at a time");
	if (!live && !options->operands)
		cli_misused("map", NULL, "no file given");
	return options->pid    ? map_process(options)
	       : options->maps ? map_listing(options)
	                       : map_run(options);
}
