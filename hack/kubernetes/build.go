package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockInterval is the interval between attempts to get the lock.
const lockInterval = 200 * time.Millisecond

// A builder fills a folder with binaries.
type builder struct {
	folder string
	// compile makes the component's binary at output.
	compile func(ctx context.Context, c component, output string) error
	// say prints one line.
	say func(format string, values ...any)
}

// all builds the missing binaries. Of several concurrent runs, one builds and the others
// wait. A binary gets its final name when it is complete.
func (b builder) all(ctx context.Context, wanted []component) error {
	if len(b.missing(wanted)) == 0 {
		return nil
	}
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()

	missing := b.missing(wanted) // again: the previous run may have built some
	for index, c := range missing {
		b.say("building %s (%d of %d) into %s", c.name, index+1, len(missing), b.folder)
		if err := b.one(ctx, c); err != nil {
			return fmt.Errorf("building %s: %w", c.name, err)
		}
	}
	return nil
}

func (b builder) missing(wanted []component) []component {
	var missing []component
	for _, c := range wanted {
		if _, err := os.Stat(filepath.Join(b.folder, c.name)); err != nil {
			missing = append(missing, c)
		}
	}
	return missing
}

func (b builder) one(ctx context.Context, c component) error {
	// Only the holder of the lock uses this name. It overwrites what a killed run left.
	output := filepath.Join(b.folder, ".building-"+c.name)
	if err := b.compile(ctx, c, output); err != nil {
		return errors.Join(err, removeIfThere(output))
	}
	return os.Rename(output, filepath.Join(b.folder, c.name))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lock waits until no other run builds into the folder. The kernel releases the lock when
// its holder dies, so no lock is ever stale.
func (b builder) lock(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(b.folder, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	reported := false
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
		}
		if !reported {
			b.say("waiting for another run that builds into %s", b.folder)
			reported = true
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, context.Cause(ctx)
		case <-time.After(lockInterval):
		}
	}
}
