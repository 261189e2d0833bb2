// Command kubernetes builds the control plane that this project is tried and
// tested against, from the Go modules that the go.mod beside it pins: etcd,
// kube-apiserver, kube-controller-manager and kubectl, and on request what a
// node runs. It prints the folder that holds them.
//
//	go -C hack/kubernetes run . [-cache folder] [component ...]
//
// What was built once is used again, until go.mod, go.sum or the build flags
// change. When KUBEBUILDER_ASSETS names a folder, nothing is built and that
// folder is printed.
//
// The program must not start what it builds, and it names no version: go.mod is
// the only place where one stands.
package main

import (
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
	// assetsVariable is the name that envtest gave to a folder of binaries.
	assetsVariable = "KUBEBUILDER_ASSETS"
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

// run does what the package comment says. The folder is the only thing that it
// writes to stdout.
func run(ctx context.Context, arguments []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kubernetes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cache := flags.String("cache", getenv(cacheVariable),
		"folder for the folders of binaries; also "+cacheVariable+"; by default in the user's cache folder")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: kubernetes [-cache folder] [component ...]\n"+
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
	if assets := getenv(assetsVariable); assets != "" {
		_, err := fmt.Fprintln(stdout, assets)
		return err
	}

	pinned, err := readModule(".")
	if err != nil {
		return err
	}
	folder, err := pinned.folder(*cache)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder of binaries: %w", err)
	}
	shown := newProgress(stderr)
	build := builder{
		folder:  folder,
		compile: compiler{flags: pinned.buildFlags(), progress: shown}.compile,
		say:     shown.say,
	}
	if err := build.all(ctx, wanted); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, folder)
	return err
}

// cacheFolder is where the folders of binaries are kept.
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
