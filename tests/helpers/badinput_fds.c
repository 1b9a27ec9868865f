/* Lists its descriptors: number, flags, and what they are, one a line, on
 * descriptor FD (default 1; when that is closed, nothing). */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int to = argc > 1 ? atoi(argv[1]) : 1;
	char text[8192];
	size_t at = 0;

	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || fstat(fd, &st))
			continue;
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "%d %d %d %lx %lx\n", fd,
			flags, fcntl(fd, F_GETFL), (unsigned long)st.st_dev,
			(unsigned long)st.st_ino);
	}
	return write(to, text, at) != (ssize_t)at;
}
