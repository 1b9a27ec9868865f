/*
 * map - address spaces as lists of lines, for the screen and as JSON: never
 * included outside this room.
 *
 *   map.c      a run's at one moment
 *   address.c  all that is known of one address
 *   listing.c  /proc/PID/maps or smaps, read and named without causes
 */
#ifndef OBSERVER_REPORT_MAP_H
#define OBSERVER_REPORT_MAP_H

#include "observer/report/internal.h"

#define MAP_PERMS 5  /* room for "rw-p" */
#define MAP_PLACE 39 /* columns of a line's addresses, perms and offset */

struct map_line {
	uint64_t start, end;
	uint64_t offset;
	uint64_t from;                  /* when the first of them began */
	const struct ledger_life *life; /* one of them; NULL: unexplained */
	uint64_t resident;
	int known; /* whether that is known */
};

struct map {
	const struct ledger *ledger;
	const struct ledger_lives *lives;
	uint64_t t;
	int last; /* the run's last moment */
	struct map_line *line;
	size_t count;
	int known;     /* what was resident ... */
	uint64_t seen; /* ... at this moment */
	uint64_t size, resident;
};

/* Each life a line, or equal neighbours joined.  0 when memory is short.
 * map_close() in any case. */
int map_open(struct map *map, const struct ledger *ledger,
             const struct ledger_lives *lives, uint64_t t, int joined);
void map_close(struct map *map);

int map_is_alive(const struct ledger_life *life, uint64_t t);
uint64_t map_offset(const struct ledger_life *life);

/* A file, or "[heap]" as the kernel has it; or NULL. */
const char *map_path(const struct ledger_life *life);

/* "rw-p"; "????" of no life. */
const char *map_perms(char text[static MAP_PERMS],
                      const struct ledger_life *life);

/* "main.handle main.go:12, at start" */
void map_print_site(FILE *out, const struct ledger_site *site);

/* The heads of the columns, and the parts of a line; a terminal may cut its
 * remark. */
void map_print_heads(const struct screen *screen, const char *remark);
void map_print_place(FILE *out, uint64_t start, uint64_t end, const char *perms,
                     uint64_t offset);
void map_print_sizes(const struct screen *screen, uint64_t size, int known,
                     uint64_t resident);
void map_print_remark(const struct screen *screen, const char *text);

/* The members of a mapping's object, without its braces. */
void map_json_line(FILE *out, const struct map_line *line);
void map_json_text(FILE *out, const char *text);
void map_json_run(FILE *out, const struct ledger *ledger);
void map_json_place(FILE *out, const struct ledger_place *place,
                    uint64_t address);

#endif
