/*
 * Maps the executable segment of an ELF file executable, from a descriptor that
 * may write, and protects it once more:
 *
 *	late_map shared|private FILE
 *
 * What is patched in a shared mapping would be written into the file.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	Elf64_Ehdr header;
	Elf64_Phdr phdr;
	int fd = argc > 2 ? open(argv[2], O_RDWR) : -1;
	int mapped = 0, shared = argc > 1 && strcmp(argv[1], "shared") == 0;

	if (fd < 0 || read(fd, &header, sizeof(header)) != sizeof(header))
		return 2;
	for (int i = 0; i < header.e_phnum; i++) {
		off_t at = (off_t)(header.e_phoff + i * sizeof(phdr));
		void *text;

		if (pread(fd, &phdr, sizeof(phdr), at) != sizeof(phdr))
			return 3;
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X))
			continue;
		text = mmap(NULL, phdr.p_filesz, PROT_READ | PROT_EXEC,
		            shared ? MAP_SHARED : MAP_PRIVATE, fd,
		            (off_t)(phdr.p_offset & -4096ul));
		if (text == MAP_FAILED ||
		    mprotect(text, phdr.p_filesz, PROT_READ) ||
		    mprotect(text, phdr.p_filesz, PROT_READ | PROT_EXEC))
			return 4;
		mapped++;
	}
	printf("mapped %d\n", mapped);
	return mapped ? 0 : 5;
}
