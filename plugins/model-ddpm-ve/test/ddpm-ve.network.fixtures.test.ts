import { networkCases } from '@tweedie/testing';

networkCases('ddpm-ve');
