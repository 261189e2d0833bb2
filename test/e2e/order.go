package main

// stages are in the order in which they run.
var stages = []stage{
	{name: "the control plane starts", run: startControlPlane, needed: true},
	{name: "the node is ready", run: startNode, needed: true},
	{name: "a Pod without any rights runs", run: runAPod, needed: true},
}
