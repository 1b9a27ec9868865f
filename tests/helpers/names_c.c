/* Calls inlined one in the other, for names.sh: nothing to be run. */
#include <stdlib.h>

static volatile int sink;

static inline __attribute__((always_inline)) void deepest(int x)
{
	sink = x;
	if (x > 3)
		sink = rand();
}

static inline __attribute__((always_inline)) void deep(int x)
{
	for (int i = 0; i < x; i++)
		deepest(i);
}

__attribute__((noinline)) void outer(int x);
void outer(int x)
{
	deep(x);
	deepest(x + 1);
	sink++;
}

__attribute__((noinline)) static int lone(int x)
{
	sink = x;
	return x * sink;
}

int main(int argc, char **argv)
{
	(void)argv;
	outer(argc);
	deep(lone(argc));
	return 0;
}
