/*
 * Programs and surroundings for tests/faults.sh.
 *
 *	faults_do churn MS            maps and unmaps, ends with 3
 *	faults_do deny CALL ERRNO COMMAND...
 *	                              COMMAND under a filter: CALL fails
 *
 * CALL: "dispatch" (prctl PR_SET_SYSCALL_USER_DISPATCH) or a number.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIZE (4 * 4096u)

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int churn(long ms)
{
	uint64_t start = now_us(), at = start, longest = 0, pairs = 0;

	puts("ready");
	fflush(stdout);
	while (at - start < (uint64_t)ms * 1000) {
		uint64_t before = at, middle;
		char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return 4;
		mem[0] = 1;
		middle = now_us();
		if (munmap(mem, SIZE))
			return 5;
		at = now_us();
		if (middle - before > longest)
			longest = middle - before;
		if (at - middle > longest)
			longest = at - middle;
		pairs++;
	}
	printf("done %llu\nlongest %llu\n", (unsigned long long)pairs,
	       (unsigned long long)longest);
	fflush(stdout);
	return 3;
}

static int deny(uint32_t nr, int has_argument, uint32_t argument, int error,
                char **command)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | (has_argument ? BPF_JEQ : BPF_JGE) | BPF_K,
		         argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
		         SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 77;
	execvp(command[0], command);
	return 127;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "churn"))
		return churn(atol(argv[2]));
	if (argc > 4 && !strcmp(argv[1], "deny")) {
		int dispatch = !strcmp(argv[2], "dispatch");

		return deny(dispatch ? SYS_prctl : (uint32_t)atoi(argv[2]),
		            dispatch, dispatch ? 59 : 0, atoi(argv[3]),
		            argv + 4);
	}
	return 2;
}
