/*
 * To be preloaded: GOLOAD_TEST_DENY="NUMBER ERRNO" makes that system call fail,
 * for this process and all that come from it.  The filter comes behind the
 * dynamic loader's own calls, so what fails is what goload asks for; neither
 * variable is left for the program to see.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

__attribute__((constructor)) static void deny(void)
{
	const char *wanted = getenv("GOLOAD_TEST_DENY");
	uint32_t nr, error;

	if (!wanted || sscanf(wanted, "%u %u", &nr, &error) != 2)
		return;
	unsetenv("LD_PRELOAD");
	unsetenv("GOLOAD_TEST_DENY");

	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		         offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}
