// Prints what a process can know of itself right after it was executed, one
// "key value" line each; addresses by what they lie in, so that two runs without
// randomised addresses say the same.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Of /proc/self/status, what does not count something.
var stable = []string{"Name", "Umask", "Uid", "Gid", "FDSize", "Groups",
	"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm",
	"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
	"Speculation_Store_Bypass", "THP_enabled", "Cpus_allowed"}

// Of /proc/self/stat: field number and name.
var fields = map[int]string{6: "session", 7: "tty",
	18: "priority", 19: "nice", 26: "start_code", 27: "end_code",
	33: "ignored", 34: "caught", 38: "exit_signal", 41: "policy",
	45: "start_data", 46: "end_data", 47: "start_brk"}

func read(path string) []byte {
	bytes, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(path, err)
	}
	return bytes
}

func status() {
	for _, line := range strings.Split(string(read("/proc/self/status")), "\n") {
		for _, key := range stable {
			if strings.HasPrefix(line, key+":") {
				fmt.Println("status." + line)
			}
		}
	}
}

func stat(base uint64) {
	text := string(read("/proc/self/stat"))
	close := strings.LastIndexByte(text, ')')
	fmt.Println("stat.comm", text[strings.IndexByte(text, '('):close+1])
	for i, word := range strings.Fields(text[close+1:]) {
		name, wanted := fields[i+3]
		value, _ := strconv.ParseUint(word, 10, 64)
		switch {
		case !wanted:
		case value > 1<<20 && value-base < 1<<30:
			fmt.Printf("stat.%s program+%#x\n", name, value-base)
		default:
			fmt.Printf("stat.%s %s\n", name, word)
		}
	}
}

// The auxiliary vector; returns where the program begins.
func auxv() uint64 {
	const phdr, base, entry, vdso, random, execfn, platform = 3, 7, 9, 33, 25, 31, 15
	words := read("/proc/self/auxv")
	at := map[uint64]uint64{}
	var order []uint64
	for ; len(words) >= 16; words = words[16:] {
		key := binary.LittleEndian.Uint64(words)
		at[key] = binary.LittleEndian.Uint64(words[8:])
		order = append(order, key)
	}
	for _, key := range order {
		switch key {
		case phdr, entry:
			fmt.Printf("aux %d program+%#x\n", key, at[key]-at[phdr]&^4095)
		case base, vdso, random, execfn, platform:
			fmt.Printf("aux %d set: %v\n", key, at[key] != 0)
		default:
			fmt.Printf("aux %d %#x\n", key, at[key])
		}
	}
	return at[phdr] &^ 4095
}

func main() {
	stat(auxv())
	status()
	for _, path := range []string{"cmdline", "comm", "limits",
		"oom_score_adj", "coredump_filter", "personality", "cgroup"} {
		fmt.Printf("%s %q\n", path, read("/proc/self/"+path))
	}
	executable, err := os.Executable()
	fmt.Println("executable", executable, err)
	link, err := os.Readlink("/proc/self/exe")
	fmt.Println("exe", link, err)
	var itself, file syscall.Stat_t
	fmt.Println(syscall.Stat("/proc/self/exe", &itself),
		syscall.Stat(os.Args[0], &file), itself.Ino == file.Ino)
	environ := strings.TrimSuffix(string(read("/proc/self/environ")), "\x00")
	fmt.Println("environ", environ == strings.Join(os.Environ(), "\x00"))
	maps := string(read("/proc/self/maps"))
	fmt.Println("stack", strings.Count(maps, "[stack]"),
		"vdso", strings.Count(maps, "[vdso]"))
	var children syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children)
	fmt.Println("children", children.Maxrss, children.Minflt)
	_, err = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	fmt.Println("wait", err)
}
