package adopt

import (
	"bufio"
	"fmt"
	"io"

	"github.com/external-workload/controller/pkg/plan"
)

// Print writes what would be done for each Service, and a summary. For a Service
// without writes it lists only the skipped workloads.
func Print(out io.Writer, previews []Preview) error {
	w := bufio.NewWriter(out)
	for i := range previews {
		printOne(w, &previews[i])
	}
	summarize(w, previews)
	return w.Flush()
}

func printOne(w io.Writer, p *Preview) {
	if len(p.Steps) == 0 && len(p.Skipped) == 0 {
		return
	}
	fmt.Fprintf(w, "Service %s\n", p.Service)
	for _, skipped := range p.Skipped {
		fmt.Fprintf(w, "  left out: workload %s: %s\n", skipped.Workload, skipped.Message)
	}
	for number, step := range p.Steps {
		for _, change := range step {
			slice := change.After
			if slice == nil {
				slice = change.Before
			}
			fmt.Fprintf(w, "  step %d: %s EndpointSlice %s (%s)\n", number+1, change.Operation, slice.Name, slice.AddressType)
			for _, line := range diff(change) {
				fmt.Fprintf(w, "    %s\n", line)
			}
		}
	}
	fmt.Fprintln(w)
}

func summarize(w io.Writer, previews []Preview) {
	var actual, endpoints, untouched, changed, skipped int
	writes := map[plan.Operation]int{}
	for i := range previews {
		p := &previews[i]
		actual, endpoints, untouched = actual+p.Slices, endpoints+p.Endpoints, untouched+p.Untouched
		skipped += len(p.Skipped)
		if len(p.Steps) > 0 {
			changed++
		}
		for _, step := range p.Steps {
			for _, change := range step {
				writes[change.Operation]++
			}
		}
	}
	fmt.Fprintf(w, "Compared: Services %d, EndpointSlices %d, endpoints %d (unchanged %d), workloads left out %d\n", len(previews), actual, endpoints, untouched, skipped)
	if changed == 0 {
		fmt.Fprintln(w, "Would write: nothing")
		return
	}
	fmt.Fprintf(w, "Would write: create %d, update %d, delete %d, for Services %d\n", writes[plan.Create], writes[plan.Update], writes[plan.Delete], changed)
}
