package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set when a release is built, with -ldflags -X.
var (
	version = ""
	commit  = ""
)

// buildVersion returns the version and the commit of the binary, as far as known.
func buildVersion() (string, string) {
	v, c := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		if v == "" {
			v = info.Main.Version
		}
		for _, setting := range info.Settings {
			if c == "" && setting.Key == "vcs.revision" {
				c = setting.Value
			}
		}
	}
	if v == "" || v == "(devel)" {
		v = "development"
	}
	if c == "" {
		c = "unknown"
	}
	return v, c
}

func versionLine() string {
	v, c := buildVersion()
	return fmt.Sprintf("external-workload-controller %s (commit %s, %s, %s/%s)", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
