/*
 * Numbers in words that a person reads: three digits or so, thousands set
 * apart, one unit per magnitude.
 */
#include "observer/report/internal.h"

#include <inttypes.h>
#include <string.h>

#define KIB 1024.0

/* Sets commas into the digits that `text` begins with. */
static const char *with_commas(char *text)
{
	size_t digits = strspn(text, "0123456789");
	size_t size = strlen(text);

	while (digits > 3) {
		digits -= 3;
		memmove(&text[digits + 1], &text[digits], size - digits + 1);
		text[digits] = ',';
		size++;
	}
	return text;
}

const char *units_count(char *text, uint64_t count)
{
	snprintf(text, UNITS_TEXT, "%" PRIu64, count);
	return with_commas(text);
}

const char *units_exact(char text[static UNITS_EXACT], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB" };
	char count[UNITS_TEXT];
	int unit = 0;

	while (unit < 2 && bytes > 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, UNITS_EXACT, "%s %s", units_count(count, bytes),
	         units[unit]);
	return text;
}

/* MiB up to 10,240: 1,224.1 MiB is easier to compare with the 5.1 MiB in the
 * next line than 1.2 GiB. */
const char *report_size(char *text, uint64_t bytes, int dash)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes / KIB;
	double limit = KIB;
	int unit = 0;

	if (bytes < 1024) {
		if (bytes == 0 && dash)
			return "-";
		snprintf(text, UNITS_TEXT, bytes ? "%u B" : "%u",
		         (unsigned)bytes);
		return with_commas(text);
	}
	while (unit < 3 && size >= limit) {
		size /= KIB;
		limit = 10 * KIB;
		unit++;
	}
	/* Pages are whole numbers of KiB. */
	snprintf(text, UNITS_TEXT,
	         bytes % 1024 == 0 && unit == 0 ? "%.0f %s" : "%.1f %s", size,
	         units[unit]);
	return with_commas(text);
}

const char *report_cell(const struct report_style *style, char *text,
                        uint64_t bytes, int dash)
{
	if (!style->exact || bytes == 0)
		return report_size(text, bytes, dash);
	return units_count(text, bytes);
}

int report_cell_width(const struct report_style *style)
{
	return style->exact ? 18 : 12;
}

const char *units_time(char *text, uint64_t ns)
{
	double seconds = (double)ns / 1e9;

	if (ns == 0)
		return "0 s";
	if (seconds < 0.0995)
		snprintf(text, UNITS_TEXT, "%.1f ms", seconds * 1e3);
	else if (seconds < 119.5)
		snprintf(text, UNITS_TEXT, "%.2f s", seconds);
	else if (seconds < 7200)
		snprintf(text, UNITS_TEXT, "%.1f min", seconds / 60);
	else
		snprintf(text, UNITS_TEXT, "%.1f h", seconds / 3600);
	return text;
}

const char *units_signal(char *text, uint64_t number)
{
	static const char *const names[] = {
		NULL,    "HUP",  "INT",    "QUIT", "ILL",  "TRAP",   "ABRT",
		"BUS",   "FPE",  "KILL",   "USR1", "SEGV", "USR2",   "PIPE",
		"ALRM",  "TERM", "STKFLT", "CHLD", "CONT", "STOP",   "TSTP",
		"TTIN",  "TTOU", "URG",    "XCPU", "XFSZ", "VTALRM", "PROF",
		"WINCH", "IO",   "PWR",    "SYS",
	};

	if (number > 0 && number < sizeof(names) / sizeof(names[0]))
		snprintf(text, UNITS_TEXT, "SIG%s", names[number]);
	else
		snprintf(text, UNITS_TEXT, "signal %" PRIu64, number);
	return text;
}

/* Up to the next space, or the one behind: a number stays with its unit. */
static int word_size(const char *text)
{
	size_t size = strcspn(text, " ");

	if (size > 0 && text[size] && text[size - 1] >= '0' &&
	    text[size - 1] <= '9')
		size += 1 + strcspn(text + size + 1, " ");
	return (int)size;
}

void units_wrap(FILE *out, const char *text, int indent, int width)
{
	int column = 0;

	while (*text) {
		int size = word_size(text);

		if (column > 0 && column + 1 + size > width) {
			putc('\n', out);
			column = 0;
		}
		if (column == 0)
			column = fprintf(out, "%*s", indent, "");
		else
			column += fprintf(out, " ");
		column += fprintf(out, "%.*s", size, text);
		text += size;
		text += strspn(text, " ");
	}
	putc('\n', out);
}

void units_print(FILE *out, const char *text)
{
	for (; *text; text++)
		putc((unsigned char)*text < 32 || *text == 127 ? '?' : *text,
		     out);
}

int units_columns(const char *text)
{
	int columns = 0;

	for (; *text; text++)
		columns += (*text & 0xc0) != 0x80;
	return columns;
}

const char *units_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *report_linkage(const struct ledger *ledger)
{
	static const char *const names[] = {
		[FILE_STATIC] = "static",
		[FILE_STATIC_PIE] = "static-pie",
		[FILE_DYNAMIC] = "dynamic",
		[FILE_DYNAMIC_PIE] = "dynamic-pie",
	};
	uint32_t linkage = ledger->run->program->linkage;

	return names[linkage <= FILE_DYNAMIC_PIE ? linkage : FILE_STATIC];
}
