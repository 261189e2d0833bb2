package plantest

import (
	"math/rand/v2"

	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// weights are the relative frequencies of operations.
var weights = [kinds]int{
	CreateWorkload: 12, DeleteWorkload: 6, BeginDeletion: 2, RecreateWorkload: 5, RenameWorkload: 4,
	SetAddress: 10, SwapAddresses: 4, SetWorkloadPorts: 8, SetIdentity: 6, SetReady: 12, SetZone: 4, SetMembership: 4,
	CreateService: 2, DeleteService: 1, RecreateService: 1, SetServicePorts: 5, SetSelector: 2, SetServiceType: 2,
	SetFamilies: 2, SetPublishNotReady: 2, SetTrafficDistribution: 3, SetServiceLabels: 2,
	Tamper: 3, Sync: 45, Adopt: 3, Restart: 6, Quiet: 12,
}

func total(weights [kinds]int) int {
	total := 0
	for _, weight := range weights {
		total += weight
	}
	return total
}

// laggingWeights are the weights for consumers that lag. They contain no foreign writes:
// the state of clients would depend on writes that no controller saw.
var laggingWeights = func() [kinds]int {
	all := weights
	all[Tamper], all[Adopt], all[Interrupt] = 0, 0, 6
	all[SetIdentity], all[RecreateService], all[DeleteService], all[CreateService] = 12, 4, 3, 6
	return all
}()

// Generate returns a random history of about the length. It begins with a
// Service and some workloads that are published.
func Generate(random *rand.Rand, length int) History {
	history := make(History, 0, length+8)
	history = append(history, Operation{Kind: CreateService, A: random.IntN(16), B: random.IntN(16)})
	for workload := range 2 + random.IntN(4) {
		history = append(history, Operation{Kind: CreateWorkload, A: workload, B: random.IntN(16)})
	}
	history = append(history, Operation{Kind: SetTrafficDistribution, A: random.IntN(4)}, Operation{Kind: Quiet})
	for len(history) < length {
		history = append(history, randomOperation(random, &weights))
	}
	return history
}

// GenerateLagging returns a random history in which consumers lag.
func GenerateLagging(random *rand.Rand, length int) History {
	history := History{{Kind: CreateService, A: random.IntN(16), B: random.IntN(16)}}
	for workload := range 2 + random.IntN(4) {
		history = append(history, Operation{Kind: CreateWorkload, A: workload, B: random.IntN(16)})
	}
	history = append(history, Operation{Kind: SetTrafficDistribution, A: random.IntN(4)}, Operation{Kind: Quiet})
	for len(history) < length {
		operation := randomOperation(random, &laggingWeights)
		operation.Delay = uint8(random.IntN(20))
		if random.IntN(4) == 0 {
			operation.Delay = uint8(random.IntN(256))
		}
		if operation.Kind == SetIdentity {
			// An identity that changes and changes back while a consumer has not received a slice
			// could be announced in between, unseen by any controller.
			operation.Delay = 250
		}
		operation.Order = uint8(random.IntN(256))
		operation.Pause = 0 // time passes between operations: no write takes so long
		for watch := range operation.Lags {
			operation.Lags[watch] = uint8(random.IntN(maxLag))
		}
		history = append(history, operation)
	}
	return history
}

func randomOperation(random *rand.Rand, weights *[kinds]int) Operation {
	operation := Operation{A: random.IntN(256), B: random.IntN(256)}
	chance := random.IntN(total(*weights))
	for kind, weight := range weights {
		if chance < weight {
			operation.Kind = Kind(kind)
			break
		}
		chance -= weight
	}
	if operation.Kind != Sync {
		return operation
	}
	operation.Order = uint8(random.IntN(256))
	if random.IntN(3) == 0 {
		operation.Pause = uint8(1 + random.IntN(3))
	}
	if random.IntN(5) == 0 {
		operation.Fault = sliceapi.Failure(1 + random.IntN(3))
		operation.FaultAt = uint8(random.IntN(4))
	}
	return operation
}
