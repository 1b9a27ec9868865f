/*
 * self: prints what a program inherits and can see of itself, on standard error
 * when standard output is closed.  With "copy" it copies standard input to
 * standard output instead.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    atoi(entry->d_name) != dirfd(dir))
			printf("descriptor %s\n", entry->d_name);
	closedir(dir);
}

static void lines(const char *path, const char *const *wanted)
{
	FILE *file = fopen(path, "r");
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		for (int i = 0; wanted[i]; i++)
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
				fputs(line, stdout);
	if (file)
		fclose(file);
}

static void dump(const char *path)
{
	FILE *file = fopen(path, "r");
	int c;

	printf("%s:", path);
	while (file && (c = getc(file)) != EOF)
		printf(c >= ' ' && c < 127 ? "%c" : "\\%02x", c);
	putchar('\n');
	if (file)
		fclose(file);
}

static void limits(void)
{
	for (int i = 0; i < RLIMIT_NLIMITS; i++) {
		struct rlimit limit;

		getrlimit(i, &limit);
		printf("limit %d %lx %lx\n", i, (long)limit.rlim_cur,
		       (long)limit.rlim_max);
	}
}

static void signals(void)
{
	struct sigaction action;

	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigaction(i, NULL, &action) == 0 &&
		    action.sa_handler != SIG_DFL)
			printf("signal %d %s\n", i,
			       action.sa_handler == SIG_IGN ? "ignored"
			                                    : "handled");
}

/* What the kernel tells, but for addresses. */
static void auxiliary(void)
{
	static const int told[] = { AT_PHENT,  AT_PHNUM,      AT_PAGESZ,
		                    AT_FLAGS,  AT_BASE,       AT_UID,
		                    AT_EUID,   AT_GID,        AT_EGID,
		                    AT_SECURE, AT_CLKTCK,     AT_HWCAP,
		                    AT_HWCAP2, AT_MINSIGSTKSZ };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		printf("auxv %d %lx\n", told[i], getauxval(told[i]));
	printf("platform %s\n", (char *)getauxval(AT_PLATFORM));
	printf("execfn %s\n", (char *)getauxval(AT_EXECFN));
	printf("random %d\n", getauxval(AT_RANDOM) != 0);
}

static int copy(void)
{
	static char block[1 << 16];
	ssize_t size;

	while ((size = read(0, block, sizeof(block))) > 0)
		for (ssize_t at = 0, put; at < size; at += put) {
			put = write(1, block + at, (size_t)(size - at));
			if (put < 0)
				return 1;
		}
	return size < 0;
}

int main(int argc, char **argv)
{
	static const char *const status[] = {
		"Name",   "Umask",      "Tgid",    "PPid",        "Uid",
		"Gid",    "Groups",     "NStgid",  "Threads",     "SigPnd",
		"SigBlk", "SigIgn",     "CapInh",  "CapPrm",      "CapEff",
		"CapBnd", "NoNewPrivs", "Seccomp", "CoreDumping", "TracerPid",
		NULL
	};
	char path[4096] = "";

	if (argc > 1 && strcmp(argv[1], "copy") == 0)
		return copy();
	if (fcntl(1, F_GETFD) < 0)
		stdout = stderr;
	for (int i = 0; i < argc; i++)
		printf("argument %d %s\n", i, argv[i]);
	for (char **entry = environ; *entry; entry++)
		printf("environment %s\n", *entry);
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) > 0)
		printf("exe %s\n", path);
	printf("directory %s\n", getcwd(path, sizeof(path)));
	printf("group %d session %d\n", getpgrp() == getpid(),
	       getsid(0) == getpid());
	printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
	printf("dumpable %d\n", prctl(PR_GET_DUMPABLE));
	printf("death signal %d\n", ({
		       int signal;
		       prctl(PR_GET_PDEATHSIG, &signal);
		       signal;
	       }));
	printf("subreaper %d\n", ({
		       int is;
		       prctl(PR_GET_CHILD_SUBREAPER, &is);
		       is;
	       }));
	dump("/proc/self/cmdline");
	dump("/proc/self/comm");
	auxiliary();
	descriptors();
	limits();
	signals();
	lines("/proc/self/status", status);
	return 0;
}
