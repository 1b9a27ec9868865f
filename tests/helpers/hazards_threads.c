/*
 * Threads, children, and programs that own what goload uses:
 *
 *	hazards_threads short N    N threads of one call each, eight at a time
 *	hazards_threads exec       another thread executes this program again
 *	hazards_threads ways       a child in each way there is
 *	hazards_threads trap       a filter of its own sends it SIGSYS
 *	hazards_threads dispatch   tries Syscall User Dispatch itself
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define BY_FILTER 1 /* SYS_SECCOMP, which not every libc has */

extern char **environ;

static char *program;

static void *one_call(void *unused)
{
	return mmap(unused, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	            0);
}

static int short_threads(long count)
{
	pthread_t thread[8];
	void *mem;

	for (long i = 0; i < count; i += 8) {
		for (int j = 0; j < 8; j++)
			if (pthread_create(&thread[j], NULL, one_call, NULL))
				return 2;
		for (int j = 0; j < 8; j++)
			if (pthread_join(thread[j], &mem) || munmap(mem, 4096))
				return 3;
	}
	printf("%ld threads\n", count);
	return 0;
}

static void *executes(void *unused)
{
	char *argv[] = { program, (char *)"short", (char *)"8", NULL };

	execv(program, argv);
	return unused;
}

static int exec_of_a_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, executes, NULL))
		return 2;
	pthread_join(thread, NULL);
	return 3;
}

static void ended(const char *way, pid_t pid)
{
	int status = 0;

	if (pid == 0)
		_exit(7);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("%s: %s\n", way, strerror(errno));
	else
		printf("%s: status %x\n", way, status);
	fflush(stdout);
}

static int ways(void)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	char *argv[] = { program, (char *)"short", (char *)"0", NULL };
	pid_t pid;

	ended("fork", fork());
	ended("SYS_fork", (pid_t)syscall(SYS_fork));
	ended("SYS_clone", (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	ended("SYS_clone3",
	      (pid_t)syscall(SYS_clone3, &args, CLONE_ARGS_SIZE_VER0));
	args.flags = CLONE_CLEAR_SIGHAND;
	ended("CLONE_CLEAR_SIGHAND",
	      (pid_t)syscall(SYS_clone3, &args, CLONE_ARGS_SIZE_VER0));
	pid = vfork();
	if (pid == 0)
		_exit(7);
	ended("vfork", pid);
	pid = vfork();
	if (pid == 0) {
		execv(program, argv);
		_exit(7);
	}
	ended("vfork and execve", pid);
	if (posix_spawn(&pid, program, NULL, NULL, argv, environ))
		return 2;
	ended("posix_spawn", pid);
	return 0;
}

/* ---- SIGSYS of a filter
 * ---------------------------------------------------------- */

static volatile int trapped, odd;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;

	trapped++;
	odd |= sig != SIGSYS || info->si_code != BY_FILTER;
	odd |= (info->si_call_addr != (void *)r[REG_RIP]) << 1;
	odd |= (info->si_syscall != r[REG_RAX]) << 2;
	odd |= (info->si_errno != 42) << 3;
	r[REG_RAX] = 4711;
}

static int trap(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP | 42),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog code = { sizeof(filter) / sizeof(*filter), filter };
	struct sigaction action = { .sa_sigaction = on_trap,
		                    .sa_flags = SA_SIGINFO };
	void *mem = one_call(NULL);

	sigaction(SIGSYS, &action, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &code)) {
		puts("no filters");
		return 0;
	}
	for (int i = 0; i < 3; i++)
		printf("getppid %ld, mremap %ld\n", syscall(SYS_getppid),
		       syscall(SYS_mremap, mem, 4096, 8192, MREMAP_MAYMOVE, 0));
	printf("trapped %d, odd %x\n", trapped, odd);
	return 0;
}

static int dispatch(void)
{
	static volatile char selector;
	long result = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0,
	                    0, &selector);

	printf("%ld %s, parent %s\n", result, result ? strerror(errno) : "",
	       getppid() > 0 ? "there" : "gone");
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	program = argv[0];
	if (!strcmp(what, "short"))
		return short_threads(argc > 2 ? atol(argv[2]) : 0);
	if (!strcmp(what, "exec"))
		return exec_of_a_thread();
	if (!strcmp(what, "ways"))
		return ways();
	if (!strcmp(what, "trap"))
		return trap();
	if (!strcmp(what, "dispatch"))
		return dispatch();
	return 2;
}
