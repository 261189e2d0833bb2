package main

// stages are in the order in which they run.
var stages = []stage{
	{name: "the control plane starts", run: startControlPlane, needed: true},
	{name: "the node is ready", run: startNode, needed: true},
	{name: "a Pod without any rights runs", run: runAPod, needed: true},
	{name: "CoreDNS answers at its ClusterIP", run: startDNS, needed: true},
	{name: "the VMs answer", run: startVMs, needed: true},
	{name: "the chart installs, and two Pods become ready", run: installChart, needed: true},
	{name: "helm test passes", run: helmTest},
	{name: "the documented example is reached by its ClusterIP", run: documentedExample},
	{name: "the documented example is reached by its name", run: exampleByName},
	{name: "a headless Service has a record for each VM", run: headlessRecords},
	{name: "readiness withdraws and restores under load", run: readinessMovesTraffic},
	{name: "a probe withdraws a server that ends", run: probeWithdraws},
	{name: "Pods and VMs of one Service share its requests", run: mixedService},
	{name: "trafficDistribution keeps requests in their zone", run: zonesAreKept},
	{name: "deleting the leading Pod loses no update", run: deleteTheLeader},
	{name: "killing the leading process loses no update", run: killTheLeader},
	{name: "the service account may do what it needs, and no more", run: accountRights},
	{name: "helm upgrade and rollback leave the slices alone", run: upgradeAndRollBack},
	{name: "helm uninstall leaves the CRD, the objects and traffic", run: uninstallChart},
}
