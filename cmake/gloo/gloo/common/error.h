#pragma once  // see ../of_torch.h
