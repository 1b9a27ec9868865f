/*
 * odd_replay FILE...: each file through a fuzzer's LLVMFuzzerTestOneInput,
 * built in beside this; for compilers without libFuzzer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	static uint8_t bytes[MOST];

	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");

		if (!file) {
			perror(argv[i]);
			return 2;
		}
		LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, MOST, file));
		fclose(file);
	}
	printf("%d files\n", argc - 1);
	return 0;
}
