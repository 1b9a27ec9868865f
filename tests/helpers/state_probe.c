/*
 * What a process can know of itself right after it was executed, one "key
 * value" line each.  Addresses are written as distances, so that two runs of
 * one build say the same unless something differs.
 *
 *   state_probe            all of it
 *   state_probe where      addresses that are randomised, and no more
 *   state_probe as PROGRAM ARGUMENT...
 *                          executes PROGRAM out of a process that has
 *                          changed all that an exec takes over or takes back
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
extern char __executable_start[], etext[], edata[], end[];

static char text[1 << 18];
static uintptr_t *stack; /* argc */
static uintptr_t *aux;

static void say(const char *key, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const char *key, const char *format, ...)
{
	__builtin_va_list list;

	printf("%s ", key);
	__builtin_va_start(list, format);
	vprintf(format, list);
	__builtin_va_end(list);
	putchar('\n');
}

/* A small file, as text. */
static char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	*size = 0;
	while (fd >= 0 && *size < sizeof(text) - 1 &&
	       (got = read(fd, text + *size, sizeof(text) - 1 - *size)) > 0)
		*size += (size_t)got;
	text[*size] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* ---- addresses ----------------------------------------------------------- */

static uintptr_t aux_of(uintptr_t type)
{
	for (uintptr_t *at = aux; at[0]; at += 2)
		if (at[0] == type)
			return at[1];
	return 0;
}

/* An address by what it lies in. */
static const char *near(uintptr_t address)
{
	static char said[4][64];
	static int turn;
	char *out = said[turn++ & 3];
	uintptr_t program = (uintptr_t)__executable_start;
	uintptr_t interpreter = aux_of(AT_BASE);
	uintptr_t vdso = aux_of(AT_SYSINFO_EHDR);

	if (address == 0)
		strcpy(out, "0");
	else if (address >= program && address <= (uintptr_t)end + (4 << 20))
		sprintf(out, "program+%#zx", address - program);
	else if (interpreter && address >= interpreter &&
	         address < interpreter + (4 << 20))
		sprintf(out, "interpreter+%#zx", address - interpreter);
	else if (vdso && address >= vdso && address < vdso + 0x4000)
		sprintf(out, "vdso+%#zx", address - vdso);
	else if (address > (uintptr_t)stack - (1 << 20) &&
	         address < (uintptr_t)stack + (8 << 20))
		strcpy(out, "stack");
	else
		sprintf(out, "%#zx", address);
	return out;
}

/* ---- the initial stack --------------------------------------------------- */

static void say_stack(int argc, char **argv)
{
	char **env = argv + argc + 1;
	uintptr_t *at;
	char *string;
	int count = 0;

	say("argc", "%d %d", argc, (int)*stack);
	say("sp.aligned", "%d", (int)((uintptr_t)stack & 15));
	while (env[count])
		count++;
	say("env.count", "%d", count);
	/* strings stand behind each other, arguments first */
	string = argv[0];
	for (int i = 0; i < argc; i++, string += strlen(string) + 1)
		say("argv", "%d %s %s", i, argv[i],
		    argv[i] == string ? "contiguous" : "elsewhere");
	for (int i = 0; i < count; i++, string += strlen(string) + 1)
		if (env[i] != string)
			say("env", "%d elsewhere", i);
	say("strings", "%s",
	    aux_of(AT_EXECFN) == (uintptr_t)string ? "then the file's name"
	                                           : "then something else");
	string += strlen(string) + 1;
	say("strings.end", "%#x %d", (int)((uintptr_t)(string + 8) & 4095),
	    (int)string[0]);
	say("aux", "%s", (void *)aux == env + count + 1 ? "behind" : "elsewhere");
	for (at = aux; at[0]; at += 2)
		switch (at[0]) {
		case AT_RANDOM:
			say("aux.random", "%s", near(at[1]));
			break;
		case AT_EXECFN:
		case AT_PLATFORM:
			say("aux.string", "%zu %s %s", at[0], near(at[1]),
			    (char *)at[1]);
			break;
		case AT_SYSINFO_EHDR:
			say("aux.vdso", "%d", at[1] != 0);
			break;
		case AT_BASE:
			say("aux.base", "%d", at[1] != 0);
			break;
		default:
			say("aux", "%zu %s", at[0], near(at[1]));
		}
	say("random.behind", "%d", aux_of(AT_RANDOM) > (uintptr_t)at);
}

static void say_auxv(void)
{
	size_t size;
	const char *bytes = read_file("/proc/self/auxv", &size);
	uintptr_t *at = aux;

	while (at[0])
		at += 2;
	say("proc.auxv", "%zu %s", size,
	    size == (size_t)((char *)(at + 2) - (char *)aux) &&
	                    memcmp(bytes, aux, size) == 0
	            ? "the same"
	            : "another");
}

/* ---- /proc --------------------------------------------------------------- */

static void say_strings(const char *path, const char *key, char **list)
{
	size_t size;
	const char *bytes = read_file(path, &size), *at = bytes;

	for (; *list; list++) {
		if (at >= bytes + size || strcmp(at, *list) != 0) {
			say(key, "another: %s", at);
			return;
		}
		at += strlen(at) + 1;
	}
	say(key, "the same, %zu more", (size_t)(bytes + size - at));
}

static void say_link(const char *path)
{
	char name[4096];
	ssize_t size = readlink(path, name, sizeof(name) - 1);
	struct stat st = { 0 };

	name[size < 0 ? 0 : size] = 0;
	stat(path, &st);
	say(path, "%s %ju", name, (uintmax_t)st.st_ino);
}

static const char *whose(pid_t pid)
{
	if (pid == getpid())
		return "own";
	if (pid == getppid())
		return "the parent";
	return pid > 0 && pid == getpgid(getppid()) ? "the parent's" : "another";
}

/* Of /proc/self/stat what is not time or chance. */
static void say_stat(void)
{
	static const struct {
		int field;
		const char *name;
	} fields[] = {
		{ 4, "ppid" },        { 5, "pgrp" },
		{ 6, "session" },     { 7, "tty" },
		{ 8, "tpgid" },       { 18, "priority" },
		{ 19, "nice" },       { 20, "threads" },
		{ 26, "start_code" }, { 27, "end_code" },
		{ 28, "start_stack" }, { 31, "pending" },
		{ 32, "blocked" },    { 33, "ignored" },
		{ 34, "caught" },     { 38, "exit_signal" },
		{ 40, "rt_priority" }, { 41, "policy" },
		{ 45, "start_data" }, { 46, "end_data" },
		{ 47, "start_brk" },  { 48, "arg_start" },
		{ 49, "arg_end" },    { 50, "env_start" },
		{ 51, "env_end" },    { 52, "exit_code" },
	};
	size_t size, next = 0;
	char *at = strrchr(read_file("/proc/self/stat", &size), ')');
	uintptr_t brk_at = 0;

	say("stat.comm", "%.*s", at ? (int)(at - text - (long)strcspn(text, "(")) : 0,
	    text + strcspn(text, "("));
	if (!at)
		return;
	at += 2;
	for (int field = 3; *at; field++) {
		uintptr_t value = strtoull(at, NULL, 10);
		char key[40];

		if (next < sizeof(fields) / sizeof(fields[0]) &&
		    fields[next].field == field) {
			sprintf(key, "stat.%s", fields[next].name);
			if (field == 47)
				brk_at = value;
			else if (field >= 48 && field <= 51)
				say(key, "%s", near(value));
			else if (field == 28)
				say(key, "%s", value == (uintptr_t)stack
				                       ? "the first"
				                       : near(value));
			else if (field >= 26 && field != 31 && field != 32 &&
			         field != 33 && field != 34)
				say(key, "%s", near(value));
			else if (field >= 4 && field <= 8)
				say(key, "%s", whose((pid_t)value));
			else
				say(key, "%zd", (ssize_t)value);
			next++;
		}
		at += strcspn(at, " ");
		at += *at == ' ';
	}
	/* how far behind is chance, unless there is none */
	if (personality(0xffffffff) & ADDR_NO_RANDOMIZE)
		say("stat.start_brk", "%s, the end %s", near(brk_at),
		    near((uintptr_t)end));
	else
		say("stat.start_brk", "%s",
		    brk_at > (uintptr_t)end || brk_at == 0
		            ? "behind the program"
		            : "before its end");
}

/* Lines of /proc/self/status that do not count something. */
static void say_status(void)
{
	static const char *const keys[] = {
		"Name", "Umask", "State", "Tgid:\tx", "TracerPid", "Uid", "Gid",
		"FDSize", "Groups", "Kthread", "Threads", "SigPnd", "ShdPnd",
		"SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff",
		"CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
		"Speculation_Store_Bypass", "SpeculationIndirectBranch",
		"Cpus_allowed", "Mems_allowed", "CoreDumping", "THP_enabled",
		"untag_mask", "x86_Thread_features",
		"x86_Thread_features_locked",
	};
	size_t size;
	char *line = read_file("/proc/self/status", &size);

	for (char *next; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (strncmp(line, keys[i], strlen(keys[i])) == 0 &&
			    line[strlen(keys[i])] == ':')
				printf("status.%.*s", (int)(next - line), line);
	}
}

static void say_whole(const char *path)
{
	size_t size;
	char *line = read_file(path, &size);

	for (char *next; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		printf("%s %.*s", path, (int)(next - line), line);
	}
}

/* ---- mappings ------------------------------------------------------------ */

/* The program's, its interpreter's, the heap's and the stack's, each with its
 * flags. */
static void say_maps(const char *program)
{
	size_t size;
	char *line = read_file("/proc/self/smaps", &size);
	int ours = 0;

	for (char *next; *line; line = next) {
		uintptr_t from, to;
		char perms[8], name[512] = "";
		unsigned long long offset;

		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		if (sscanf(line, "%zx-%zx %7s %llx %*s %*s %511[^\n]", &from,
		           &to, perms, &offset, name) >= 4) {
			int in_program = from >= (uintptr_t)__executable_start -
			                                 (1 << 20) &&
			                 from <= (uintptr_t)end;
			ours = in_program || strstr(name, program) ||
			       strstr(name, "ld-") || strcmp(name, "[stack]") == 0 ||
			       strcmp(name, "[heap]") == 0 || strncmp(name, "[v", 2) == 0;
			if (!ours)
				continue;
			if (strcmp(name, "[stack]") == 0)
				say("map", "%s %s to %#zx behind the file's name",
				    perms, name, to - aux_of(AT_EXECFN));
			else if (name[0] == '[')
				say("map", "%s %llx %s", perms, offset, name);
			else
				say("map", "%s size %#zx %s %llx %s", near(from),
				    to - from, perms, offset, name);
		} else if (ours && strncmp(line, "VmFlags:", 8) == 0) {
			say("map.flags", "%s", line + 8);
		} else if (ours && strncmp(line, "THPeligible:", 12) == 0) {
			say("map.thp", "%s", line + 12);
		}
	}
}

/* ---- brk ----------------------------------------------------------------- */

static uintptr_t brk_to(uintptr_t address)
{
	return (uintptr_t)syscall(SYS_brk, address);
}

static void say_brk(void)
{
	uintptr_t begin = brk_to(0);
	uintptr_t page = (begin + 4095) & ~(uintptr_t)4095;
	volatile char *byte;

	say("brk.grows", "%d", brk_to(page + 0x5000) == page + 0x5000);
	byte = (volatile char *)page + 0x4fff;
	*byte = 1;
	say("brk.zeroed", "%d %d", byte[-1], *byte);
	say("brk.shrinks", "%d", brk_to(page + 0x1000) == page + 0x1000);
	say("brk.grows again", "%d", brk_to(page + 0x5000) == page + 0x5000);
	say("brk.zeroed again", "%d", *byte);
	say("brk.too far", "%d", brk_to((uintptr_t)1 << 46) == page + 0x5000);
	say("brk.too near", "%d",
	    brk_to((uintptr_t)end - 0x1000) == page + 0x5000);
	brk_to(begin);
	say("brk.back", "%d", brk_to(0) == begin);
}

/* ---- the kernel's other state -------------------------------------------- */

static void say_signals(void)
{
	struct {
		uintptr_t handler;
		unsigned long flags;
		uintptr_t restorer;
		uint64_t mask;
	} action;
	uint64_t mask = 0;
	stack_t alternate;

	for (int i = 1; i <= 64; i++) {
		memset(&action, 0, sizeof(action));
		syscall(SYS_rt_sigaction, i, NULL, &action, 8);
		if (action.handler || action.flags || action.mask)
			say("signal", "%d %zu %#lx %#" PRIx64, i,
			    action.handler > 1 ? 2 : action.handler,
			    action.flags, action.mask);
	}
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
	say("signal.mask", "%#" PRIx64, mask);
	syscall(SYS_rt_sigpending, &mask, 8);
	say("signal.pending", "%#" PRIx64, mask);
	sigaltstack(NULL, &alternate);
	say("signal.altstack", "%d %p %zu", alternate.ss_flags, alternate.ss_sp,
	    alternate.ss_size);
}

static void say_timers(void)
{
	struct itimerval timer;

	for (int i = 0; i < 3; i++) {
		getitimer(i, &timer);
		say("itimer", "%d %d", i,
		    timer.it_value.tv_sec || timer.it_value.tv_usec);
	}
	say_whole("/proc/self/timers");
}

static void say_prctl(void)
{
	static const struct {
		int code;
		const char *name;
	} asked[] = {
		{ PR_GET_DUMPABLE, "dumpable" },
		{ PR_GET_KEEPCAPS, "keepcaps" },
		{ PR_GET_TIMING, "timing" },
		{ PR_GET_NO_NEW_PRIVS, "no_new_privs" },
		{ PR_GET_SECCOMP, "seccomp" },
		{ PR_GET_THP_DISABLE, "thp_disable" },
		{ PR_GET_TIMERSLACK, "timerslack" },
		{ PR_GET_SECUREBITS, "securebits" },
		{ PR_MCE_KILL_GET, "mce_kill" },
		{ PR_GET_IO_FLUSHER, "io_flusher" },
		{ 65 /* PR_GET_MDWE is 66 */ + 1, "mdwe" },
	};
	int value = 0;

	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		say("prctl", "%s %d", asked[i].name,
		    prctl(asked[i].code, 0, 0, 0, 0));
	prctl(PR_GET_PDEATHSIG, &value);
	say("prctl", "pdeathsig %d", value);
	prctl(PR_GET_CHILD_SUBREAPER, &value);
	say("prctl", "subreaper %d", value);
	prctl(PR_GET_TSC, &value);
	say("prctl", "tsc %d", value);
	say("prctl", "dispatch %d", prctl(59, 0, 0, 0, 0) ? errno : 0);
}

static void say_robust_list(void)
{
	uintptr_t head = 0;
	size_t size = 0;

	syscall(SYS_get_robust_list, 0, &head, &size);
	say("robust_list", "%d %zu", head != 0, size);
}

/* A registration of an exec before would refuse this one: EBUSY, EINVAL. */
static void say_rseq(void)
{
	static char area[64] __attribute__((aligned(64)));
	long done = syscall(SYS_rseq, area, 32, 0, 0x53053053);

	say("rseq", "%d", done ? errno : 0);
	if (!done)
		syscall(SYS_rseq, area, 32, 1, 0x53053053);
}

static void say_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	while (folder && (entry = readdir(folder)) != NULL) {
		char path[300], name[4096];
		int fd = atoi(entry->d_name);
		ssize_t size;

		if (entry->d_name[0] == '.' || fd == dirfd(folder))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, name, sizeof(name) - 1);
		name[size < 0 ? 0 : size] = 0;
		say("fd", "%d %.*s %#x %#x", fd, (int)strcspn(name, ":["), name,
		    fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	}
	if (folder)
		closedir(folder);
	say("fd.next", "%d", dup(0));
}

static void say_rest(void)
{
	struct rusage usage;
	struct rlimit limit;
	cpu_set_t cpus;
	int policy;

	say("personality", "%#x", personality(0xffffffff));
	getrusage(RUSAGE_CHILDREN, &usage);
	say("children", "%ld %ld %ld", usage.ru_maxrss, usage.ru_minflt,
	    usage.ru_utime.tv_usec);
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		getrlimit(i, &limit);
		say("rlimit", "%d %ju %ju", i, (uintmax_t)limit.rlim_cur,
		    (uintmax_t)limit.rlim_max);
	}
	policy = sched_getscheduler(0);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	say("scheduler", "%d %d %d", policy, CPU_COUNT(&cpus),
	    getpriority(PRIO_PROCESS, 0));
	say("ids", "%d %d %d %d", getuid(), geteuid(), getgid(), getegid());
	say("wait", "%d", (int)syscall(SYS_wait4, -1, NULL, 1, NULL) < 0 ? errno
	                                                               : 0);
	say("umask", "%o", umask(0));
}

/* ---- what exec takes over, and takes back -------------------------------- */

static void handle(int number)
{
	(void)number;
}

static void *other_thread(void *unused)
{
	pause();
	return unused;
}

static int exec_changed(char **argv)
{
	static char robust[24], area[64] __attribute__((aligned(64)));
	static char alternate[1 << 16];
	const struct itimerval hour = { .it_value = { 3600, 0 } };
	const struct rlimit files = { 300, 400 };
	struct sigaction action = { .sa_handler = handle,
		                    .sa_flags = SA_NODEFER | SA_RESTART };
	const stack_t stack_of = { .ss_sp = alternate,
		                   .ss_size = sizeof(alternate) };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	pthread_t thread;
	timer_t timer;
	sigset_t set;

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGRTMIN + 3, &action, NULL);
	sigaltstack(&stack_of, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMAX);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(SIGUSR2);
	setitimer(ITIMER_REAL, &hour, NULL);
	setitimer(ITIMER_VIRTUAL, &hour, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	syscall(SYS_set_robust_list, robust, sizeof(robust));
	syscall(SYS_rseq, area, 32, 0, 0x53053053);
	prctl(PR_SET_TIMERSLACK, 12345);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_KEEPCAPS, 1);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGWINCH);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NAME, "another name");
	setrlimit(RLIMIT_NOFILE, &files);
	setpriority(PRIO_PROCESS, 0, 3);
	umask(027);
	dup3(0, 9, 0);
	dup3(0, 10, O_CLOEXEC);
	mlockall(MCL_FUTURE);
	pthread_create(&thread, NULL, other_thread, NULL);
	execv(argv[0], argv);
	perror(argv[0]);
	return 127;
}

static void say_where(void)
{
	printf("program %#zx\nstack %#zx\nbrk %#zx\nmmap %#zx\nvdso %#zx\n",
	       (uintptr_t)__executable_start, (uintptr_t)stack, brk_to(0),
	       aux_of(AT_BASE), aux_of(AT_SYSINFO_EHDR));
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	stack = (uintptr_t *)argv - 1;
	for (aux = (uintptr_t *)environ; *aux; aux++)
		;
	aux++;
	if (argc > 1 && strcmp(argv[1], "where") == 0) {
		say_where();
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "as") == 0)
		return exec_changed(argv + 2);
	say_descriptors(); /* before anything is opened */
	say_signals();
	say_stack(argc, argv);
	say_auxv();
	say_strings("/proc/self/cmdline", "proc.cmdline", argv);
	say_strings("/proc/self/environ", "proc.environ", environ);
	say_link("/proc/self/exe");
	say_link("/proc/self/cwd");
	say_link("/proc/self/root");
	say_whole("/proc/self/comm");
	say_stat();
	say_status();
	say_whole("/proc/self/limits");
	say_whole("/proc/self/coredump_filter");
	say_whole("/proc/self/oom_score_adj");
	say_whole("/proc/self/personality");
	say_whole("/proc/self/autogroup");
	say_whole("/proc/self/cgroup");
	say_maps(name ? name + 1 : argv[0]);
	say_brk();
	say_timers();
	say_prctl();
	say_robust_list();
	say_rseq();
	say_rest();
	return 0;
}
