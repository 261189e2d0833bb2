package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release and commit are set when a release is built, with -ldflags -X.
var (
	release = ""
	commit  = ""
)

// version describes the binary in one line.
func version() string {
	v, c := release, commit
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	if c == "" {
		c = "unknown"
	}
	return fmt.Sprintf("external-workload %s (commit %s, %s, %s/%s)", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
