/*
 * faults_kill WHO SEED LINES COMMAND...: runs COMMAND, which becomes its
 * program, and kills the program, its observer, or both at a moment that SEED
 * chooses: behind one of the first LINES lines that it prints and so many turns
 * of a busy loop; one time in five (with 0 LINES: always) counted from its
 * start, which is most often before the first line.
 * Prints how it ended, "exited 3" or "killed by 9", how many lines it had
 * printed, and its last one.
 *
 * Orphans come to this process, the observer too, so it knows who is left:
 * exit status 1 when somebody is, 4 s after the program's end; 2 when the test
 * itself does not work.
 *
 * WHO: target, observer, both.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN   16
#define PATIENCE_S 4
#define TURNS      400000 /* of the busy loop, at most: about a millisecond */

static uint64_t state;

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void spin(uint64_t turns)
{
	for (volatile uint64_t i = 0; i < turns; i++)
		;
}

static size_t children(pid_t pid[CHILDREN])
{
	FILE *file = fopen("/proc/thread-self/children", "r");
	size_t count = 0;

	if (!file)
		exit(2);
	while (count < CHILDREN && fscanf(file, "%d", &pid[count]) == 1)
		count++;
	fclose(file);
	return count;
}

static void kill_them(const char *who, pid_t target)
{
	pid_t pid[CHILDREN];
	size_t count = children(pid);

	if (strcmp(who, "observer"))
		kill(target, SIGKILL);
	for (size_t i = 0; i < count; i++)
		if (strcmp(who, "target") && pid[i] != target)
			kill(pid[i], SIGKILL);
}

/* Waits for everybody; how the target ended, or exits. */
static int wait_for_all(pid_t target)
{
	struct timespec t, end = { 0 };
	const struct timespec nap = { .tv_nsec = 2000000 };
	int status, ended = -1;

	for (;;) {
		pid_t pid = waitpid(-1, &status, ended == -1 ? 0 : WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return ended;
		clock_gettime(CLOCK_MONOTONIC, &t);
		if (pid == target) {
			ended = status;
			end = t;
		}
		if (pid == 0) {
			nanosleep(&nap, NULL);
			if (t.tv_sec - end.tv_sec > PATIENCE_S)
				exit(1);
		}
	}
}

static pid_t start(char **command, int fds[2])
{
	pid_t pid;

	if (pipe(fds) || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		exit(2);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(command[0], command);
		_exit(127);
	}
	close(fds[1]);
	return pid;
}

int main(int argc, char **argv)
{
	char line[256], last[256] = "\n";
	uint64_t most, moment, turns;
	unsigned long lines = 0;
	int fds[2], status;
	pid_t target;
	FILE *out;

	if (argc < 5)
		return 2;
	state = strtoull(argv[2], NULL, 10);
	most = strtoull(argv[3], NULL, 10);
	moment = most && next_random() % 5 ? 1 + next_random() % most : 0;
	turns = next_random() % TURNS;
	target = start(argv + 4, fds);
	out = fdopen(fds[0], "r");
	if (!out)
		return 2;
	if (moment == 0) {
		spin(64 * turns); /* a start takes tens of milliseconds */
		kill_them(argv[1], target);
	}
	while (fgets(line, sizeof(line), out)) {
		memcpy(last, line, sizeof(last));
		if (++lines != moment)
			continue;
		spin(turns);
		kill_them(argv[1], target);
	}
	status = wait_for_all(target);
	if (WIFSIGNALED(status))
		printf("killed by %d\n", WTERMSIG(status));
	else
		printf("exited %d\n", WEXITSTATUS(status));
	printf("%lu lines\n%s", lines, last);
	return 0;
}
