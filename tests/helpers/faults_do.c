/*
 * Programs and surroundings for tests/faults.sh.
 *
 *	faults_do churn MS            maps and unmaps, ends with 3
 *	faults_do steps LINES         the same, a hundred times before each line
 *	faults_do burst PAIRS         the same from 4 threads, so often each,
 *when it is told "go"; ends when it is told to faults_do hidden the same as
 *another user who may not be looked at faults_do eat                 touches
 *memory until it is killed faults_do limit NAME VALUE COMMAND... COMMAND under
 *a limit: AS, DATA, FSIZE, NOFILE, NPROC, STACK faults_do deny CALL ERRNO
 *COMMAND... COMMAND under a filter: CALL fails
 *
 * CALL: "dispatch" (prctl PR_SET_SYSCALL_USER_DISPATCH) or a number.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

static int pairs(long count)
{
	for (long i = 0; i < count; i++) {
		char *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return 4;
		mem[0] = 1;
		if (munmap(mem, SIZE))
			return 5;
	}
	return 0;
}

static int steps(long lines)
{
	int failed = 0;

	for (long i = 0; i < lines && !failed; i++) {
		failed = pairs(100);
		printf("line %ld\n", i);
		fflush(stdout);
	}
	if (failed)
		return failed;
	puts("done");
	return 3;
}

static void *burst_thread(void *count)
{
	return pairs((long)(intptr_t)count) ? "" : NULL;
}

static int burst(long count)
{
	pthread_t thread[4];
	char word[8];
	void *failed;

	for (int i = 0; i < 4; i++) /* what a first thread maps */
		if (pthread_create(&thread[i], NULL, burst_thread, NULL) ||
		    pthread_join(thread[i], NULL))
			return 4;
	puts("ready");
	fflush(stdout);
	if (!fgets(word, sizeof(word), stdin) || strcmp(word, "go\n"))
		return 5;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&thread[i], NULL, burst_thread,
		                   (void *)(intptr_t)count))
			return 6;
	for (int i = 0; i < 4; i++)
		if (pthread_join(thread[i], &failed) || failed)
			return 7;
	puts("over");
	fflush(stdout);
	return fgets(word, sizeof(word), stdin) ? 3 : 8;
}

static int hidden(void)
{
	if (setgid(65534) || setuid(65534) ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return 4;
	return steps(20);
}

static int eat(void)
{
	puts("ready");
	fflush(stdout);
	for (size_t total = 0; total < 1ull << 30; total += 64 * SIZE) {
		char *mem = mmap(NULL, 64 * SIZE, PROT_READ | PROT_WRITE,
		                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (mem == MAP_FAILED)
			return 4;
		memset(mem, 1, 64 * SIZE);
	}
	return 3;
}

static int limit(const char *name, const char *value, char **command)
{
	static const struct {
		const char *name;
		int resource;
	} all[] = {
		{ "AS", RLIMIT_AS },       { "DATA", RLIMIT_DATA },
		{ "FSIZE", RLIMIT_FSIZE }, { "NOFILE", RLIMIT_NOFILE },
		{ "NPROC", RLIMIT_NPROC }, { "STACK", RLIMIT_STACK },
	};
	rlim_t most = strtoull(value, NULL, 10);

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (!strcmp(name, all[i].name) &&
		    setrlimit((unsigned)all[i].resource,
		              &(struct rlimit){ most, most }) == 0) {
			execvp(command[0], command);
			return 127;
		}
	return 77;
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
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
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
	if (argc > 2 && !strcmp(argv[1], "steps"))
		return steps(atol(argv[2]));
	if (argc > 2 && !strcmp(argv[1], "burst"))
		return burst(atol(argv[2]));
	if (argc > 1 && !strcmp(argv[1], "hidden"))
		return hidden();
	if (argc > 1 && !strcmp(argv[1], "eat"))
		return eat();
	if (argc > 4 && !strcmp(argv[1], "limit"))
		return limit(argv[2], argv[3], argv + 4);
	if (argc > 4 && !strcmp(argv[1], "deny")) {
		int dispatch = !strcmp(argv[2], "dispatch");

		return deny(dispatch ? SYS_prctl : (uint32_t)atoi(argv[2]),
		            dispatch, dispatch ? 59 : 0, atoi(argv[3]),
		            argv + 4);
	}
	return 2;
}
