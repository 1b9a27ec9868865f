/* Maps 4 MiB in C++ functions, one inlined in the other, for names.sh. */
#include <cstddef>
#include <sys/mman.h>

namespace outer
{
template <class T> struct keeper {
	__attribute__((noinline)) static bool map(std::size_t count);
};

inline __attribute__((always_inline)) void *inlined(std::size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE,
	            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

template <class T> bool keeper<T>::map(std::size_t count)
{
	return inlined(count * sizeof(T)) != MAP_FAILED;
}
}

int main()
{
	return !outer::keeper<int>::map(1 << 20);
}
