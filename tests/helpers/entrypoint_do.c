/*
 * A program of tests/entrypoint.sh, to be pid 1: leaves two children and an
 * orphan unreaped, prints all processes, waits for one child, prints them
 * again, and exits with 5 among zombies.  A line is "state parent name".
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void print_processes(const char *when)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	printf("%s\n", when);
	while (proc && (entry = readdir(proc))) {
		char path[300], name[64] = "", state = '?';
		FILE *file;
		int parent = -1;

		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%*d (%63[^)]) %c %d", name, &state,
		           &parent) == 3)
			printf("%c %d %s\n", state, parent, name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	fflush(stdout);
}

/* Has ended, and is still there. */
static void await_end(pid_t pid)
{
	siginfo_t info;

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
}

static pid_t leave_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	await_end(pid);
	return pid;
}

/* Its parent is gone: it is a child of pid 1, which waits for it to end. */
static void leave_orphan(void)
{
	int ends[2];
	pid_t parent, orphan = 0;

	if (pipe(ends) < 0)
		return;
	parent = fork();
	if (parent == 0) {
		orphan = fork();
		if (orphan == 0) {
			close(ends[1]);
			pause();
		}
		if (write(ends[1], &orphan, sizeof(orphan)) < 0)
			_exit(1);
		_exit(0);
	}
	if (read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		return;
	waitpid(parent, NULL, 0);
	kill(orphan, SIGKILL);
	await_end(orphan);
}

int main(void)
{
	pid_t first = leave_child();

	leave_child();
	leave_orphan();
	print_processes("before");
	waitpid(first, NULL, 0);
	print_processes("behind");
	return 5;
}
