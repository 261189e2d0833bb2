// Package explain explains why a Service does or does not send traffic to an
// ExternalWorkload. It uses the same packages as the controller, desired and plan, and
// compares the result with the EndpointSlices.
//
// It is pure: it reads no cluster and no clock, and returns text instead of printing
// it. The answer is therefore the same for a live cluster, for manifests that are not
// applied yet, and in a test.
package explain
