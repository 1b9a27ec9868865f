/* Children by fork and vfork that map memory or exec, and are waited for. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (16 * 4096u)

static int use_memory(void)
{
	char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -1;
	mem[0] = mem[SIZE - 1] = 1;
	return munmap(mem, SIZE);
}

static void reap(const char *how, pid_t child)
{
	int status = 0;
	pid_t pid = waitpid(-1, &status, 0);

	printf("%s: %s, exited %d, status %d\n", how,
	       pid == child ? "own child" : "a stranger", WIFEXITED(status),
	       WEXITSTATUS(status));
	fflush(stdout);
}

int main(void)
{
	pid_t child;

	use_memory();
	for (int i = 0; i < 3; i++) {
		child = fork();
		if (child == 0)
			_exit(use_memory() == 0 ? 10 + i : 1);
		reap("fork", child);
	}
	child = vfork();
	if (child == 0)
		_exit(20);
	reap("vfork, exit", child);
	child = vfork();
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exit 30", (char *)NULL);
		_exit(127);
	}
	reap("vfork, exec", child);
	use_memory();
	if (waitpid(-1, NULL, 0) == -1 && errno == ECHILD)
		puts("no child left");
	return 0;
}
