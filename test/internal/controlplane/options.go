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

// A Component is one process of the control plane.
type Component string

// The components, in the order in which they are started.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
)

// defaultStartTimeout is ample: two busy cores need about ten seconds.
const defaultStartTimeout = 2 * time.Minute

// ErrMissing says that the folder of binaries lacks a component. Some versions of
// Kubernetes lack kube-controller-manager, because it cannot be built here.
var ErrMissing = errors.New("the control plane has no such program")

// Options say which control plane to start. The zero value is etcd and
// kube-apiserver on 127.0.0.1.
type Options struct {
	// Binaries is the folder of the programs. Empty: that of Binaries, which
	// builds them if need be.
	Binaries string
	// Directory receives the data, keys and logs; a cluster that it holds from
	// before is removed. Empty: a folder that Stop removes.
	Directory string
	// ControllerManager starts kube-controller-manager too: garbage collection,
	// namespace deletion, Deployments and the core EndpointSlice controller.
	ControllerManager bool
	// Address is the IP address on which everything listens. Empty: 127.0.0.1.
	Address string
	// Prefix is put in front of each command, such as nsenter and its flags. It
	// must replace itself by the command. Address must then be one that both that
	// namespace and this program can reach.
	Prefix []string
	// Flags are added to a component's command; of a flag given twice the last
	// one, which is the one from here, holds.
	Flags map[Component][]string
	// StartTimeout bounds the start of each component. Zero: two minutes.
	StartTimeout time.Duration
	// Progress receives what is said while binaries are built. Nil: os.Stderr.
	Progress io.Writer
}

// complete fills in what the caller left open.
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
