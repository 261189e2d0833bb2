package v1beta1

// Annotations on an ExternalWorkload that this project reads.
const (
	// ReadyAnnotation declares the machine's readiness: "True", "False" or
	// "Unknown". It fits a manifest in a repository, where status does not.
	ReadyAnnotation = "external-workload.io/ready"

	// ProbeAnnotation holds a Kubernetes Probe (core/v1) as JSON or YAML, by
	// which the controller finds out the machine's readiness itself.
	ProbeAnnotation = "external-workload.io/probe"
)
