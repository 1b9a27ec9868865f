/*
 * libc_prefork WORKERS REQUESTS: a server that forks its workers and never
 * execs.  They accept on one socket; for each request they map and unmap
 * memory, start a thread, and answer.  The parent asks, and reaps.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM (64u << 12)

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_size;

static void fail(const char *what)
{
	perror(what);
	exit(90);
}

static void *twice(void *number)
{
	return (void *)((uintptr_t)number * 2);
}

/* Twice the number, by way of memory, the heap and a thread. */
static uint32_t answer(uint32_t number)
{
	uint32_t *mem = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
	                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t *heap = malloc(200000);
	pthread_t thread;
	void *result;

	if (mem == MAP_FAILED || !heap)
		fail("memory");
	mem[ROOM / sizeof(*mem) - 1] = heap[0] = number;
	if (pthread_create(&thread, NULL, twice,
	                   (void *)(uintptr_t)mem[ROOM / sizeof(*mem) - 1]) ||
	    pthread_join(thread, &result))
		fail("thread");
	munmap(mem, ROOM);
	free(heap);
	return (uint32_t)(uintptr_t)result;
}

/* Until it is asked for 0. */
static int work(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		uint32_t number;

		if (fd < 0 || read(fd, &number, 4) != 4)
			return 1;
		if (!number)
			return 7;
		number = answer(number);
		if (write(fd, &number, 4) != 4)
			return 2;
		close(fd);
	}
}

static uint32_t ask(uint32_t number)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	uint32_t got = 0;

	if (connect(fd, (void *)&address, address_size) ||
	    write(fd, &number, 4) != 4)
		fail("connect");
	if (number && read(fd, &got, 4) != 4)
		fail("read");
	close(fd);
	return got;
}

int main(int argc, char **argv)
{
	int workers = argc > 1 ? atoi(argv[1]) : 0;
	int requests = argc > 2 ? atoi(argv[2]) : 0;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), ended = 0, status;
	uint64_t sum = 0;

	if (bind(listener, (void *)&address, sizeof(sa_family_t)) ||
	    listen(listener, 64))
		fail("listen");
	address_size = sizeof(address);
	getsockname(listener, (void *)&address, &address_size);
	for (int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0)
			exit(work(listener));
	}
	for (int i = 1; i <= requests; i++)
		sum += ask((uint32_t)i) + answer((uint32_t)i);
	for (int i = 0; i < workers; i++)
		ask(0);
	while (wait(&status) > 0)
		ended += WIFEXITED(status) && WEXITSTATUS(status) == 7;
	printf("sum %llu, %d workers ended well\n", (unsigned long long)sum,
	       ended);
	return 0;
}
