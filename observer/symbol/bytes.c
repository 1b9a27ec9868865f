/* bytes - a file in memory. */
#include "observer/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int symbol_map_fd(int fd, struct symbol_bytes *bytes)
{
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0)
		return 0;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : 0;
		return 0;
	}
	*bytes = (struct symbol_bytes){
		.size = (size_t)st.st_size,
		.inode = (uint64_t)st.st_ino,
		.mtime = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
		         (uint64_t)st.st_mtim.tv_nsec,
	};
	if (!bytes->size)
		return 1;
	at = mmap(NULL, bytes->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED)
		return 0;
	bytes->at = at;
	return 1;
}

int symbol_map(const char *path, struct symbol_bytes *bytes)
{
	/* a FIFO would wait for its writer */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int done, error;

	if (fd < 0)
		return 0;
	done = symbol_map_fd(fd, bytes);
	error = errno;
	close(fd);
	errno = error;
	return done;
}

void symbol_unmap(const struct symbol_bytes *bytes)
{
	if (bytes->at)
		munmap((void *)bytes->at, bytes->size);
}

int symbol_same(const struct symbol_bytes *a, const struct symbol_bytes *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->mtime == b->mtime;
}
