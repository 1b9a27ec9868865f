// storm: threads that change memory by lot, in arenas of their own and where the
// kernel likes, while the runtime does what it does. At barriers everybody waits,
// and the program prints its own map between two marks, as tests/helpers/storm.c
// does:
//
//	storm THREADS CALLS BARRIERS SEED FILE
package main

import (
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

const (
	page      = 4096
	arenas    = 0x100000000000 // far below where the kernel looks for room
	apart     = 1 << 32
	arenaSize = 128 * page
	mostLoose = 32
	segment   = 5 * page
	mark      = 0x5707000000
	advice    = 0x5707

	read, write, exec                 = syscall.PROT_READ, syscall.PROT_WRITE, syscall.PROT_EXEC
	private, shared, anonymous, fixed = 2, 1, 0x20, 0x10
	noReserve, huge, noReplace        = 0x4000, 0x40000, 0x100000
	mayMove, toFixed, dontUnmap       = 1, 2, 4
	ipcCreate, ipcRemove, readOnly    = 0o1000, 0, 0o10000
)

type span struct{ at, size uintptr }

type thread struct {
	lot   *rand.Rand
	arena uintptr
	loose []span
	ring  uintptr
	made  [512]int
	kept  [][]byte
}

var (
	file    int
	shmID   uintptr
	text    = make([]byte, 32<<20)
	marks   int
	waiting sync.Cond
	arrived int
	round   int
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func (t *thread) call(nr uintptr, args ...uintptr) (uintptr, bool) {
	var a [6]uintptr
	copy(a[:], args)
	t.made[nr]++
	result, _, errno := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	return result, errno == 0
}

func (t *thread) below(n int) uintptr { return uintptr(t.lot.Intn(n)) }

func (t *thread) oneIn(n int) bool { return t.lot.Intn(n) == 0 }

// spot is a few pages of the arena.
func (t *thread) spot() span {
	first := t.below(arenaSize / page)
	count := min(1+t.below(16), arenaSize/page-first)
	return span{t.arena + first*page, count * page}
}

func min(a, b uintptr) uintptr {
	if a < b {
		return a
	}
	return b
}

func (t *thread) prot() uintptr {
	return []uintptr{read | write, read | write, read, 0, read | exec}[t.below(5)]
}

func (t *thread) keep(at, size uintptr) {
	if size > 0 && len(t.loose) < mostLoose {
		t.loose = append(t.loose, span{at, size})
	} else if size > 0 {
		t.call(syscall.SYS_MUNMAP, at, size)
	}
}

// any is one of the mappings elsewhere, taken out.
func (t *thread) any() (span, bool) {
	if len(t.loose) == 0 {
		return span{}, false
	}
	i := t.below(len(t.loose))
	s := t.loose[i]
	t.loose[i] = t.loose[len(t.loose)-1]
	t.loose = t.loose[:len(t.loose)-1]
	return s, true
}

func (t *thread) mapSome(at, size, flags uintptr) (uintptr, bool) {
	prot := t.prot()
	switch t.below(5) {
	case 0:
		return t.call(syscall.SYS_MMAP, at, size, prot, flags|private, uintptr(file), t.below(8)*page)
	case 1:
		return t.call(syscall.SYS_MMAP, at, size, prot&^write&^exec, flags|shared, uintptr(file), 0)
	case 2:
		return t.call(syscall.SYS_MMAP, at, size, prot&^exec, flags|shared|anonymous, ^uintptr(0), 0)
	}
	return t.call(syscall.SYS_MMAP, at, size, prot&^exec, flags|private|anonymous, ^uintptr(0), 0)
}

func (t *thread) resize(s span) {
	size := (1 + t.below(24)) * page
	flags := uintptr(mayMove)
	if t.oneIn(3) {
		flags = 0
	}
	at, ok := t.call(syscall.SYS_MREMAP, s.at, s.size, size, flags)
	if ok {
		s = span{at, size}
	}
	t.keep(s.at, s.size)
}

// cut takes a part away, and keeps the rest.
func (t *thread) cut(s span) {
	first := t.below(int(s.size/page)) * page
	count := (1 + t.below(int((s.size-first)/page))) * page
	t.call(syscall.SYS_MUNMAP, s.at+first, count)
	t.keep(s.at, first)
	t.keep(s.at+first+count, s.size-first-count)
}

func (t *thread) move(from, to span) {
	flags := uintptr(mayMove | toFixed)
	size := min(to.size, t.arena+arenaSize-to.at)
	if t.oneIn(3) && to.at+from.size <= t.arena+arenaSize {
		flags |= dontUnmap
		size = from.size
	}
	t.call(syscall.SYS_MREMAP, from.at, from.size, size, flags, to.at)
}

func (t *thread) attach() {
	at, ok := t.call(syscall.SYS_SHMAT, shmID, 0, t.below(2)*readOnly)
	if ok && t.oneIn(3) {
		t.keep(at, segment)
	} else if ok {
		t.call(syscall.SYS_SHMDT, at)
	}
}

func (t *thread) aio() {
	if t.ring == 0 {
		t.call(syscall.SYS_IO_SETUP, 1+t.below(300), uintptr(unsafe.Pointer(&t.ring)))
	} else {
		t.call(syscall.SYS_IO_DESTROY, t.ring)
		t.ring = 0
	}
}

func (t *thread) fail(s span) {
	switch t.below(5) {
	case 0:
		t.call(syscall.SYS_MMAP, s.at, 0, read, private|anonymous|fixed, ^uintptr(0))
	case 1:
		t.call(syscall.SYS_MMAP, s.at, s.size, read|write, shared|fixed, uintptr(file))
	case 2:
		t.call(syscall.SYS_MUNMAP, s.at+1, s.size)
	case 3:
		t.call(syscall.SYS_MPROTECT, s.at+1, s.size, read)
	case 4:
		t.call(syscall.SYS_SHMDT, s.at+1)
	}
}

func (t *thread) hugePages() {
	at, ok := t.call(syscall.SYS_MMAP, 0, 4<<20, read|write, private|anonymous|huge|noReserve, ^uintptr(0))
	if ok {
		t.call(syscall.SYS_MUNMAP, at+page, page)
		t.call(syscall.SYS_MUNMAP, at, 2<<20)
		t.call(syscall.SYS_MUNMAP, at+2<<20, 2<<20)
	}
}

// allocate gives the runtime something to map, now and then.
func (t *thread) allocate() {
	if len(t.kept) > 8 {
		t.kept = t.kept[:0]
	}
	t.kept = append(t.kept, make([]byte, 1+t.below(1<<20)))
}

func (t *thread) act() {
	s := t.spot()
	switch n := t.below(100); {
	case n < 20:
		size := (1 + t.below(24)) * page
		if at, ok := t.mapSome(0, size, 0); ok {
			t.keep(at, size)
		}
	case n < 34:
		t.mapSome(s.at, s.size, fixed)
	case n < 38:
		t.mapSome(s.at, s.size, noReplace)
	case n < 48:
		t.call(syscall.SYS_MUNMAP, s.at, s.size)
	case n < 62:
		if loose, ok := t.any(); ok {
			t.cut(loose)
		}
	case n < 72:
		t.call(syscall.SYS_MPROTECT, s.at, s.size, t.prot())
	case n < 80:
		if loose, ok := t.any(); ok {
			t.resize(loose)
		}
	case n < 86:
		t.move(s, t.spot())
	case n < 93:
		t.call(syscall.SYS_MADVISE, s.at, s.size, []uintptr{4, 8, 14, 23, 15}[t.below(5)])
	case n < 95:
		t.attach()
	case n < 96:
		t.aio()
	case n < 97:
		t.hugePages()
	case n < 98:
		t.allocate()
	default:
		t.fail(s)
	}
}

func makeMark() {
	syscall.Syscall(syscall.SYS_MADVISE, mark+uintptr(marks), 0, advice)
	marks++
}

// printMap makes no call that changes memory, and nothing for the runtime to do.
func printMap() {
	size := 0
	makeMark()
	fd, err := syscall.Open("/proc/self/maps", syscall.O_RDONLY, 0)
	must(err)
	for {
		n, err := syscall.Read(fd, text[size:])
		must(err)
		if n == 0 {
			break
		}
		size += n
	}
	syscall.Close(fd)
	makeMark()
	fmt.Printf("mark %d %d\n", marks-2, size)
	os.Stdout.Write(text[:size])
}

// barrier lets all go on when the last one has come, which prints the map.
func barrier(threads int) {
	waiting.L.Lock()
	defer waiting.L.Unlock()
	here := round
	if arrived++; arrived == threads {
		runtime.GC() // and then there is no more to do for it
		printMap()
		arrived = 0
		round++
		waiting.Broadcast()
	}
	for here == round {
		waiting.Wait()
	}
}

func main() {
	var arg [4]int
	var err error
	for i := range arg {
		arg[i], err = strconv.Atoi(os.Args[1+i])
		must(err)
	}
	threads, calls, barriers, seed := arg[0], arg[1], arg[2], arg[3]
	file, err = syscall.Open(os.Args[5], syscall.O_RDONLY, 0)
	must(err)
	waiting.L = new(sync.Mutex)
	debug.SetGCPercent(-1)

	// Gone with the program: nobody else has it.
	id, _, errno := syscall.Syscall(syscall.SYS_SHMGET, 0, segment-1, ipcCreate|0o600)
	if errno != 0 {
		panic(errno)
	}
	shmID = id
	syscall.Syscall(syscall.SYS_SHMAT, shmID, 0, 0)
	syscall.Syscall(syscall.SYS_SHMCTL, shmID, ipcRemove, 0)

	all := make([]*thread, threads)
	var done sync.WaitGroup
	for i := range all {
		t := &thread{lot: rand.New(rand.NewSource(int64(seed*threads + i)))}
		t.arena = arenas + uintptr(i)*apart
		all[i] = t
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for n := 0; n < barriers; n++ {
				barrier(threads)
				for k := 0; k < calls/barriers; k++ {
					t.act()
				}
			}
			barrier(threads)
		}()
	}
	done.Wait()
	for nr := range all[0].made {
		sum := 0
		for _, t := range all {
			sum += t.made[nr]
		}
		// the runtime makes calls of these, too
		if sum > 0 && nr != syscall.SYS_MMAP && nr != syscall.SYS_MUNMAP && nr != syscall.SYS_MADVISE {
			fmt.Printf("made %d %d\n", nr, sum)
		}
	}
}
