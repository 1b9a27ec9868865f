/*
 * schema - the tables and views of the SQLite export: docs/formats.md.
 *
 * Sizes in bytes, times in ns since the run began, addresses as integers.
 */
#ifndef OBSERVER_REPORT_EXPORT_SCHEMA_H
#define OBSERVER_REPORT_EXPORT_SCHEMA_H

/* clang-format off */
#define SCHEMA_TABLES \
	"CREATE TABLE run (" \
	"  program TEXT, command TEXT, linkage TEXT, stripped INTEGER," \
	"  go_version TEXT, build_id TEXT, pid INTEGER, host TEXT," \
	"  started INTEGER, duration INTEGER," \
	"  status INTEGER, signal INTEGER, exec INTEGER," \
	"  complete INTEGER, checked INTEGER, net INTEGER," \
	"  vm_size INTEGER, target INTEGER, goload INTEGER," \
	"  unexplained INTEGER, phantom INTEGER, reserved INTEGER," \
	"  committed INTEGER, resident INTEGER, goload_resident INTEGER," \
	"  peak_vm_size INTEGER, mappings INTEGER," \
	"  events INTEGER, lost INTEGER, net_hits INTEGER);" \
	"CREATE TABLE module (" \
	"  id INTEGER PRIMARY KEY, path TEXT, kind TEXT, build_id TEXT," \
	"  start INTEGER, \"end\" INTEGER, bias INTEGER);" \
	"CREATE TABLE stack (" \
	"  id INTEGER PRIMARY KEY, frames INTEGER, cut INTEGER);" \
	"CREATE TABLE frame (" \
	"  stack INTEGER, depth INTEGER, address INTEGER, function TEXT," \
	"  file TEXT, line INTEGER, inlined INTEGER, module INTEGER," \
	"  PRIMARY KEY (stack, depth)) WITHOUT ROWID;" \
	"CREATE TABLE event (" \
	"  id INTEGER PRIMARY KEY, t INTEGER, duration INTEGER, call TEXT," \
	"  thread INTEGER, arg0 INTEGER, arg1 INTEGER, arg2 INTEGER," \
	"  arg3 INTEGER, arg4 INTEGER, arg5 INTEGER, result INTEGER," \
	"  by_net INTEGER, stack INTEGER);" \
	"CREATE TABLE mapping (" \
	"  id INTEGER PRIMARY KEY, start INTEGER, \"end\" INTEGER," \
	"  born INTEGER, died INTEGER, last INTEGER, joined INTEGER," \
	"  kind TEXT, owner TEXT, protection TEXT, flags INTEGER," \
	"  path TEXT, \"offset\" INTEGER, resident INTEGER, event INTEGER," \
	"  function TEXT, file TEXT, line INTEGER, address INTEGER," \
	"  at_start INTEGER);" \
	"CREATE TABLE pages (" \
	"  kind TEXT, owner TEXT, anonymous INTEGER, file INTEGER," \
	"  shared INTEGER, huge INTEGER, returned INTEGER," \
	"  came_back INTEGER);" \
	"CREATE TABLE sample (" \
	"  t INTEGER, vm_size INTEGER, resident INTEGER," \
	"  goload_resident INTEGER);" \
	"CREATE TABLE memstats (" \
	"  t INTEGER, sys INTEGER, heap_sys INTEGER, heap_idle INTEGER," \
	"  heap_inuse INTEGER, heap_released INTEGER, stack_inuse INTEGER," \
	"  stack_sys INTEGER, mspan_inuse INTEGER, mspan_sys INTEGER," \
	"  mcache_inuse INTEGER, mcache_sys INTEGER, buck_hash_sys INTEGER," \
	"  gc_sys INTEGER, other_sys INTEGER);"

#define SCHEMA_VIEWS \
	"CREATE VIEW ledger AS" \
	"  SELECT kind, owner, reserved, committed, resident, anonymous," \
	"    file, shared, huge, returned, came_back, mappings" \
	"  FROM (SELECT kind, owner," \
	"      sum((\"end\" - start) * (protection = '---')) AS reserved," \
	"      sum((\"end\" - start) * (protection <> '---')) AS committed," \
	"      sum(resident) AS resident, sum(NOT joined) AS mappings" \
	"    FROM mapping WHERE last AND owner <> 'goload'" \
	"    GROUP BY kind, owner)" \
	"  JOIN pages USING (kind, owner)" \
	"  ORDER BY reserved + committed DESC, kind;" \
	"CREATE VIEW timeline AS" \
	"  WITH change AS (" \
	"    SELECT born AS t, (\"end\" - start) AS bytes, protection" \
	"      FROM mapping WHERE owner <> 'goload'" \
	"    UNION ALL" \
	"    SELECT died, start - \"end\", protection" \
	"      FROM mapping WHERE owner <> 'goload' AND NOT last)," \
	"  moment AS (" \
	"    SELECT t, sum(bytes * (protection = '---')) AS reserved," \
	"      sum(bytes * (protection <> '---')) AS committed" \
	"    FROM change GROUP BY t)" \
	"  SELECT t, sum(reserved) OVER (ORDER BY t) AS reserved," \
	"    sum(committed) OVER (ORDER BY t) AS committed" \
	"  FROM moment ORDER BY t;" \
	"CREATE VIEW who AS" \
	"  SELECT kind, owner, function, file, line," \
	"    sum(\"end\" - start) AS bytes, sum(resident) AS resident," \
	"    sum(NOT joined) AS mappings" \
	"  FROM mapping WHERE last AND owner <> 'goload'" \
	"  GROUP BY kind, owner, function, file, line" \
	"  ORDER BY bytes DESC;"
/* clang-format on */

#endif
