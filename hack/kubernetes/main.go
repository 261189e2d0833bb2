// Command kubernetes builds the control plane for make run and the tests from Go modules:
// etcd, kube-apiserver, kube-controller-manager and kubectl, and on request the programs
// of a node. It prints the folder that holds them.
//
//	go -C hack/kubernetes run . [-version 1.33] [-cache folder] [component ...]
//	go -C hack/kubernetes run . -list
//
// The go.mod beside it pins the version that is built by default. Each file
// versions/*.mod is the go.mod of another version, which -version or the variable
// KUBERNETES chooses; the go command takes it as -modfile. -list prints the versions,
// newest first.
//
// Binaries are reused until the go.mod, its sums or the build flags change. If
// KUBEBUILDER_ASSETS names a folder and -version is not given, the program builds nothing
// and prints that folder.
//
// The program must not start what it builds. It names no version: only those files do.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

const (
	// assetsVariable is the variable in which envtest expects the folder of binaries.
	assetsVariable = "KUBEBUILDER_ASSETS"
	// versionVariable names the version to build.
	versionVariable = "KUBERNETES"
	// cacheVariable names the folder that holds the folders of binaries.
	cacheVariable = "EXTERNAL_WORKLOAD_KUBERNETES_CACHE"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

// run does what the package comment says. It writes only the folder, or the list, to
// stdout.
func run(ctx context.Context, arguments []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kubernetes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cache := flags.String("cache", getenv(cacheVariable),
		"folder for the folders of binaries; also "+cacheVariable+"; by default in the user's cache folder")
	version := flags.String("version", "", "version of Kubernetes to build, such as 1.33; also "+
		versionVariable+"; by default the one that go.mod pins")
	list := flags.Bool("list", false, "print the versions that can be built, the newest first, and build nothing")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: kubernetes [-version 1.33] [-cache folder] [component ...]\n"+
			"builds %s, and the components that are named: %s\n",
			names(components, true), names(components, false))
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	wanted, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if *list {
		return printVersions(stdout)
	}
	if assets := getenv(assetsVariable); assets != "" && *version == "" {
		_, err := fmt.Fprintln(stdout, assets)
		return err
	}
	modules, err := readModules(".")
	if err != nil {
		return err
	}
	chosen, err := find(modules, cmp.Or(*version, getenv(versionVariable)))
	if err != nil {
		return err
	}
	folder, err := chosen.build(ctx, wanted, *cache, newProgress(stderr))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, folder)
	return err
}

// printVersions prints a version on each line.
func printVersions(stdout io.Writer) error {
	modules, err := readModules(".")
	if err != nil {
		return err
	}
	for _, version := range newestFirst(modules) {
		if _, err := fmt.Fprintln(stdout, version); err != nil {
			return err
		}
	}
	return nil
}

// build builds the requested components and returns their folder. A component that the
// module lacks is an error, unless it is one that is always built.
func (m module) build(ctx context.Context, wanted []component, cache string, shown *progress) (string, error) {
	wanted, lacking := m.available(wanted)
	for _, c := range lacking {
		if !c.always {
			return "", fmt.Errorf("%s of Kubernetes %s is not a tool of %s", c.name, m.minor(), m.path)
		}
		shown.say("left out: %s of Kubernetes %s, which is not a tool of %s", c.name, m.minor(), m.path)
	}
	folder, err := m.folder(cache)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of binaries: %w", err)
	}
	build := builder{
		folder:  folder,
		compile: compiler{modfile: m.path, flags: m.buildFlags(), progress: shown}.compile,
		say:     shown.say,
	}
	return folder, build.all(ctx, wanted)
}

// cacheFolder returns where the folders of binaries are kept.
func cacheFolder(chosen string) (string, error) {
	if chosen != "" {
		return filepath.Abs(chosen)
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder (give one with -cache): %w", err)
	}
	return filepath.Join(user, "external-workload-controller", "kubernetes"), nil
}
