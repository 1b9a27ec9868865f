/* Waits for a number on standard input, and prints it. */
#include <stdio.h>

int main(void)
{
	int number;

	printf("number: ");
	fflush(stdout);
	if (scanf("%d", &number) != 1) {
		fputs("scanf: not a number\n", stderr);
		return 1;
	}
	printf("%d\n", number);
	return 0;
}
