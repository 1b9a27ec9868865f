/*
 * trial_do WHAT - a program for tests/trial.sh: in one word what it does.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void ignore(int number)
{
	(void)number;
}

/* 128 when there is no memory. */
static int map(void)
{
	void *at = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
	                -1, 0);

	return at == MAP_FAILED ? 128 : 0;
}

/* More than is kept, and then what counts. */
static int much(void)
{
	puts("first");
	for (int i = 0; i < 1000000; i++)
		puts("x");
	puts("last");
	return 2;
}

static int signal_group(void)
{
	signal(SIGTERM, ignore);
	return kill(0, SIGTERM) != 0;
}

/* Its parent waits for it for ever. */
static int hang(void)
{
	if (fork() == 0)
		pause();
	while (wait(NULL) < 0)
		;
	return 1;
}

static int sleep_silently(void)
{
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	return pause();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*act)(void);
	} acts[] = {
		{ "map", map },
		{ "much", much },
		{ "group", signal_group },
		{ "hang", hang },
		{ "silent", sleep_silently },
	};

	for (size_t i = 0; argc > 1 && i < sizeof(acts) / sizeof(*acts); i++)
		if (strcmp(acts[i].name, argv[1]) == 0)
			return acts[i].act();
	return 0;
}
