/*
 * stacks_holes WHAT: memory calls on stacks that nobody may copy as they are.
 *
 *   guards   coroutines on an array of this thread's own stack, with pages
 *            between them that cannot be touched
 *   thread   the same in a thread
 *   below    a call far below the stack, where nothing has ever been
 *   filter   detached threads under a filter that forbids process_vm_readv:
 *            with musl they end when their stack is unmapped
 *
 * Prints how many calls did what they should.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif

static atomic_int done;

static void one_call(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED && munmap(at, 4096) == 0)
		atomic_fetch_add(&done, 1);
}

#ifdef __GLIBC__
enum { COROUTINES = 8, ROOM = 65536, PAGE = 4096 };

static ucontext_t back, there[COROUTINES];

static void coroutine(void)
{
	for (int i = 0; i < 3; i++)
		one_call();
}

static void *guards(void *unused)
{
	char array[COROUTINES * ROOM + PAGE];
	char *at = (char *)(((uintptr_t)array + PAGE - 1) & -(uintptr_t)PAGE);

	for (int i = 0; i < COROUTINES; i++) {
		mprotect(at + i * ROOM, PAGE, PROT_NONE);
		getcontext(&there[i]);
		there[i].uc_stack.ss_sp = at + i * ROOM + PAGE;
		there[i].uc_stack.ss_size = ROOM - PAGE;
		there[i].uc_link = &back;
		makecontext(&there[i], coroutine, 0);
	}
	for (int i = 0; i < COROUTINES; i++)
		swapcontext(&back, &there[i]);
	for (int i = 0; i < COROUTINES; i++)
		mprotect(at + i * ROOM, PAGE, PROT_READ | PROT_WRITE);
	return unused;
}

static void in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, guards, NULL) == 0)
		pthread_join(thread, NULL);
}
#endif

static void below(void)
{
	register long flags __asm__("r10") = MAP_PRIVATE | MAP_ANONYMOUS;
	register long fd __asm__("r8") = -1, offset __asm__("r9") = 0;
	long result;

	__asm__ volatile("mov %%rsp, %%rbx\n"
	                 "sub $0x1400000, %%rsp\n"
	                 "syscall\n"
	                 "mov %%rbx, %%rsp\n"
	                 : "=a"(result)
	                 : "0"((long)SYS_mmap), "D"(0l), "S"(4096l),
	                   "d"((long)PROT_READ), "r"(flags), "r"(fd),
	                   "r"(offset)
	                 : "rcx", "r11", "rbx", "memory");
	done += result > 0;
}

static void *work(void *unused)
{
	one_call();
	return unused;
}

static int filter(void)
{
	struct sock_filter rule[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, rule };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	for (int i = 0; i < 50; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, NULL) ||
		    pthread_detach(thread))
			return 1;
		while (done <= i)
			sched_yield();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "below"))
		below();
	else if (!strcmp(what, "filter")) {
		if (filter())
			return 1;
#ifdef __GLIBC__
	} else if (!strcmp(what, "guards")) {
		guards(NULL);
	} else if (!strcmp(what, "thread")) {
		in_thread();
#endif
	} else {
		return 2;
	}
	printf("%d calls\n", done);
	return 0;
}
