/*
 * dynamic_detached N: N detached threads, 16 at a time, one after the other;
 * each maps and unmaps memory. A detached thread ends without a stack: musl has
 * unmapped it by then, and others may have got its addresses.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mman.h>

static atomic_int running, done;

static void *work(void *unused)
{
	void *at = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED && munmap(at, 65536) == 0)
		atomic_fetch_add(&done, 1);
	atomic_fetch_sub(&running, 1);
	return unused;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;

	for (int i = 0; i < count; i++) {
		pthread_t thread;

		while (atomic_load(&running) >= 16)
			sched_yield();
		atomic_fetch_add(&running, 1);
		if (pthread_create(&thread, NULL, work, NULL) ||
		    pthread_detach(thread))
			return 1;
	}
	while (atomic_load(&running))
		sched_yield();
	printf("%d threads\n", atomic_load(&done));
	return 0;
}
