/* Allocates a string, reads a word into it, prints it, frees it. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	char *word = malloc(100);

	if (!word) {
		fputs("string: no memory\n", stderr);
		return 1;
	}
	printf("word: ");
	fflush(stdout);
	if (scanf("%99s", word) != 1) {
		fputs("string: no word\n", stderr);
		free(word);
		return 1;
	}
	printf("%s\n", word);
	free(word);
	return 0;
}
