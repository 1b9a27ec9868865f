/*
 * mem - the four functions that compilers call by themselves, and access to
 * the program's memory that cannot fault.
 */
#include "shim/shim.h"

#include <asm/unistd_64.h>
#include <linux/errno.h>
#include <linux/uio.h>

int memcmp(const void *a, const void *b, size_t size);
void *memmove(void *to, const void *from, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
	void *start = to;

	__asm__ volatile("rep movsb"
	                 : "+D"(to), "+S"(from), "+c"(size)
	                 :
	                 : "memory");
	return start;
}

void *memmove(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	void *start = to;

	__asm__ volatile("rep stosb"
	                 : "+D"(to), "+c"(size)
	                 : "a"(byte)
	                 : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < size; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

/*
 * A process may always access its own memory this way, and a bad address is
 * EFAULT, not a fault.  (process_vm_readv with the caller's own thread id.)
 */
static long copy(long call, const void *ours, uint64_t theirs, size_t size)
{
	struct iovec local = { (void *)ours, size };
	struct iovec remote = { (void *)theirs, size };
	long self = sys_call0(__NR_gettid);

	return sys_call6(call, self, (long)&local, 1, (long)&remote, 1, 0);
}

/* Where a seccomp filter forbids the call, or gettid: a bad address is a fault
 * then. */
static int is_forbidden(long result)
{
	return result == -EPERM || result == -ENOSYS || result == -EACCES ||
	       result == -ESRCH;
}

/* Without that call: the kernel reads the mask, and then finds that there is no
 * such request. */
static int is_there(uint64_t from)
{
	return sys_call4(__NR_rt_sigprocmask, -1, (long)from, 0, 8) != -EFAULT;
}

int shim_read(void *to, uint64_t from, size_t size)
{
	long done = copy(__NR_process_vm_readv, to, from, size);

	if (is_forbidden(done) && is_there(from))
		memcpy(to, (const void *)from, size);
	else if (done != (long)size)
		return -EFAULT;
	return 0;
}

/* As far as it goes, in order. */
size_t shim_read_some(void *to, uint64_t from, size_t size)
{
	long done = copy(__NR_process_vm_readv, to, from, size);

	if (is_forbidden(done) && is_there(from)) { /* this page at least */
		size_t rest = LOADER_PAGE - (from & (LOADER_PAGE - 1));

		done = (long)(size < rest ? size : rest);
		memcpy(to, (const void *)from, (size_t)done);
	}
	return done < 0 ? 0 : (size_t)done;
}

/* How many pages can be read, at most 16, from the one of `from` down. */
size_t shim_readable_pages(uint64_t from)
{
	enum { PAGES = 16 };
	uint8_t bytes[PAGES];
	struct iovec local = { bytes, PAGES }, remote[PAGES];
	long done;

	for (uint64_t i = 0; i < PAGES; i++)
		remote[i] =
			(struct iovec){ (void *)(from - i * LOADER_PAGE), 1 };
	done = sys_call6(__NR_process_vm_readv, sys_call0(__NR_gettid),
	                 (long)&local, 1, (long)remote, PAGES, 0);
	return done < 0 ? 0 : (size_t)done;
}

int shim_write(uint64_t to, const void *from, size_t size)
{
	long done = copy(__NR_process_vm_writev, from, to, size);

	if (is_forbidden(done))
		memcpy((void *)to, from, size);
	else if (done != (long)size)
		return -EFAULT;
	return 0;
}
