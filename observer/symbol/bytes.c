/* bytes - a file in memory. */
#include "observer/symbol/symbol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_MOST (4l << 30)

/* The end of the last stored byte before READ_MOST. */
static size_t stored_size(int fd, size_t size)
{
	size_t most = size < READ_MOST ? size : READ_MOST;
	off_t end = 0, data;

	while ((data = lseek(fd, end, SEEK_DATA)) >= 0 && data < (off_t)most) {
		end = lseek(fd, data, SEEK_HOLE);
		if (end <= data || end >= (off_t)most)
			return most;
	}
	if (data < 0 && errno != ENXIO)
		return most;
	return (size_t)end;
}

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
		.stored = stored_size(fd, (size_t)st.st_size),
		.device = (uint64_t)st.st_dev,
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
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->mtime == b->mtime;
}
