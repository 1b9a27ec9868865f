/* Says so and dies of SIGSEGV, without a handler. */
#include <stdio.h>

int main(void)
{
	volatile int *volatile nowhere = (volatile int *)8;

	puts("about to fault");
	fflush(stdout);
	return *nowhere;
}
