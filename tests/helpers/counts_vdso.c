/* Asks the vDSO a hundred times for what only the kernel knows. */
#include <time.h>

int main(void)
{
	struct timespec now;

	for (int i = 0; i < 100; i++)
		if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) ||
		    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now))
			return 1;
	return 0;
}
