/*
 * stacks_calls WHAT: maps memory from a place that a test knows.
 *
 *   chain     three calls deep, without frame pointers
 *   alloca    below more stack than goload copies
 *   coroutine on a stack of its own, with nothing behind its ends
 *   signal    in a handler, on the stack of what it interrupted
 *   altstack  in a handler, on a stack of its own
 *   thread    in a thread that is three calls deep, too
 */
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))
#define SIZE  (3u << 20)

static volatile int depth; /* so that no call is a jump */

APART static int maps_memory(void)
{
	void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	depth++;
	return at == MAP_FAILED;
}

APART static int calls_two(void)
{
	int result = maps_memory();

	depth++;
	return result;
}

APART static int calls_one(void)
{
	int result = calls_two();

	depth++;
	return result;
}

APART static int below_much(size_t size)
{
	volatile char *room = alloca(size);
	int result;

	memset((void *)room, 1, size);
	result = maps_memory();
	return result + room[size - 1] - 1;
}

static ucontext_t back, there;

static void coroutine(void)
{
	depth = calls_one();
}

/* Its stack is two pages between two that cannot be touched. */
static int on_own_stack(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, (size_t)page * 4, PROT_NONE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED ||
	    mprotect(at + page, (size_t)page * 2, PROT_READ | PROT_WRITE) ||
	    getcontext(&there))
		return 1;
	there.uc_stack.ss_sp = at + page;
	there.uc_stack.ss_size = (size_t)page * 2;
	there.uc_link = &back;
	makecontext(&there, coroutine, 0);
	return swapcontext(&back, &there);
}

static void handler(int sig)
{
	(void)sig;
	depth = maps_memory();
}

static int in_handler(void)
{
	signal(SIGUSR1, handler);
	return raise(SIGUSR1);
}

static int in_handler_apart(void)
{
	const struct sigaction action = { .sa_handler = handler,
		                          .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };

	return !stack.ss_sp || sigaltstack(&stack, NULL) ||
	       sigaction(SIGUSR1, &action, NULL) || raise(SIGUSR1);
}

static void *thread(void *unused)
{
	(void)unused;
	depth = calls_one();
	return NULL;
}

static int in_thread(void)
{
	pthread_t id;

	return pthread_create(&id, NULL, thread, NULL) ||
	       pthread_join(id, NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "chain"))
		return calls_one();
	if (!strcmp(what, "alloca"))
		return below_much(200000);
	if (!strcmp(what, "coroutine"))
		return on_own_stack();
	if (!strcmp(what, "signal"))
		return in_handler();
	if (!strcmp(what, "altstack"))
		return in_handler_apart();
	if (!strcmp(what, "thread"))
		return in_thread();
	return 2;
}
