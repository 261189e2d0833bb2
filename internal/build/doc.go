// Package build creates objects for unit tests, each with one call that contains only
// what the test is about:
//
//	service := build.Service("shop/web", build.Headless())
//	workload := build.Workload("shop/a", build.IPs("192.0.2.1"), build.NotReady())
//	slice := build.Slice("shop/web-1", build.Of(service), build.Endpoint("a", "192.0.2.1"))
//
// The defaults are a Service with one IPv4 port that selects app=web, and ready
// workloads with that label that have the port. Every call creates new objects. Invalid
// arguments panic.
//
// The package is test support: shipped code must not import it.
package build
