package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// A Component is a process of the control plane.
type Component string

// The components in the order in which they start.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
)

// defaultStartTimeout is ample: on two busy cores a start takes about ten seconds.
const defaultStartTimeout = 2 * time.Minute

// ErrMissing means that the folder of binaries lacks a component. For some versions of
// Kubernetes, kube-controller-manager cannot be built.
var ErrMissing = errors.New("the control plane has no such program")

// Options are the settings of a control plane. The zero value is etcd and kube-apiserver on
// 127.0.0.1.
type Options struct {
	// Binaries is the folder of the programs. Empty: the result of the function Binaries,
	// which builds them if necessary.
	Binaries string
	// Directory is the folder for data, keys and logs; a former cluster in it is removed.
	// Empty: a folder that Stop removes.
	Directory string
	// ControllerManager starts kube-controller-manager too: garbage collection,
	// namespace deletion, Deployments and the core EndpointSlice controller.
	ControllerManager bool
	// Address is the IP address on which everything listens. Empty: 127.0.0.1.
	Address string
	// Prefix is put in front of each command, such as nsenter and its flags. It must exec the
	// command. Address must then be reachable from both that namespace and this program.
	Prefix []string
	// Flags are appended to a component's command, so they override its other flags.
	Flags map[Component][]string
	// StartTimeout is the maximum time for the start of each component. Zero: two minutes.
	StartTimeout time.Duration
	// Progress receives the progress of a build of binaries. Nil: os.Stderr.
	Progress io.Writer
}

// complete sets the defaults.
func (o Options) complete(ctx context.Context) (Options, error) {
	if o.Progress == nil {
		o.Progress = os.Stderr
	}
	if o.StartTimeout == 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	if o.Binaries == "" {
		folder, err := Binaries(ctx, o.Progress)
		if err != nil {
			return Options{}, err
		}
		o.Binaries = folder
	}
	for _, component := range o.components() {
		switch _, err := os.Stat(filepath.Join(o.Binaries, string(component))); {
		case errors.Is(err, os.ErrNotExist):
			return Options{}, fmt.Errorf("%w: %s", ErrMissing, component)
		case err != nil:
			return Options{}, err
		}
	}
	return o, nil
}

func (o Options) components() []Component {
	if o.ControllerManager {
		return []Component{Etcd, APIServer, ControllerManager}
	}
	return []Component{Etcd, APIServer}
}
