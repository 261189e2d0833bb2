package hostile

import (
	"flag"
	"os"
	"testing"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/netns"
)

const (
	// programVariable passes the path of the built controller to the process in the network
	// namespace.
	programVariable = "HOSTILE_CONTROLLER"

	// neighbourNetwork, tenantNetwork and serviceNetwork are local to the network
	// namespace.
	neighbourNetwork = "10.77.0.1/16"
	tenantNetwork    = "10.66.0.1/16"
	serviceNetwork   = "10.96.0.1/16"
)

// notHere is the reason why the tests cannot run; empty if they can.
var notHere string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(netns.Main(m, netns.Options{
		Variable: programVariable, Build: faults.Build, Networks: []string{neighbourNetwork, tenantNetwork, serviceNetwork},
	}, &notHere))
}
